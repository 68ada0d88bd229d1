/** What the panel's buttons do: connect, find labels, generate, cancel. Knows Photoshop only through `Host`. */

import { sameBytes } from "../../../web/src/io/bytes";
import type { RunEvent, ServerInfo } from "../../../web/src/io/backend";
import { Calls, type CallsOptions } from "../../../web/src/io/calls";
import { fetchTransport } from "../../../web/src/io/fetch_transport";
import { ChannelOrder, DataType, LayerKind } from "../../../web/src/io/gen/layoutbrush/v1/layers_pb";
import { labelPicture } from "../../../web/src/io/label_colors";
import { RemoteDocument } from "../../../web/src/io/remote_document";
import { serverInfo } from "../../../web/src/io/server_info";
import { sendingRefusal, sendingWarning } from "../../../web/src/io/size_warning";
import { sameRect } from "../../../web/src/model/geometry";
import type { Label, LabelMap } from "../../../web/src/model/types";
import { rawLayer } from "../../../web/src/io/wire";
import { LABELS, onto, type Host, type LayerPixels, type Target } from "./host";
import { readLabels } from "./label_layer";
import type { PhotoshopLayer } from "./photoshop";
import { bytesOf } from "./pixels";
import { Problem } from "./problem";

export interface Screen {
  /** What goes on, in a few words; done: 0 to 1, null: not known. */
  progress(text: string, done: number | null): void;
  /** Asks yes or no. */
  ask(question: string): Promise<boolean>;
}

export interface SessionOptions extends CallsOptions {
  readonly fetch: typeof globalThis.fetch;
}

/** A photo of a document that the server has, with what it found there. */
interface Opened {
  readonly target: Target;
  readonly photo: LayerPixels;
  readonly original: LabelMap;
  readonly remote: RemoteDocument;
}

function isLocal(address: string): boolean {
  return /^https?:\/\/(localhost|127\.|\[::1\])/.test(address);
}

/** The photo as Photoshop has it; 16 bit travel as they are. */
function subject({ bounds, channels, data }: LayerPixels) {
  const { width, height } = bounds;
  const order = channels === 4 ? ChannelOrder.RGBA : ChannelOrder.RGB;
  const type = data instanceof Uint16Array ? DataType.UINT16_TO_32768 : DataType.UINT8;
  const layer = async () => rawLayer(LayerKind.PHOTO, { x: 0, y: 0, width, height }, bytesOf(data), order, type);
  return { width, height, layer };
}

export class Session {
  private calls: Calls | null = null;
  private info: ServerInfo | null = null;
  private opened: Opened | null = null;
  private running: AbortController | null = null;

  constructor(
    private readonly host: Host,
    private readonly screen: Screen,
    private readonly options: SessionOptions,
  ) {}

  get labels(): readonly Label[] {
    return this.info?.labels ?? [];
  }

  get busy(): boolean {
    return this.running !== null;
  }

  /** True where the host holds streams back, so that renders are polled for. */
  get polls(): boolean {
    return this.calls?.polls ?? false;
  }

  /** Asks a server what it is; gives a sentence about it. */
  async connect(address: string, token: string): Promise<string> {
    const transport = fetchTransport({ address, token: () => token, fetch: this.options.fetch });
    const calls = new Calls(transport, address, this.options);
    this.info = serverInfo(await calls.call((service) => service.getServerInfo({})));
    this.calls = calls;
    this.opened = null;
    const near = isLocal(address) ? "on this computer" : `at ${address}`;
    return `Connected: Layoutbrush ${this.info.version} ${near}, bundle ${this.info.bundle}, ${this.info.labels.length} labels.`;
  }

  /** Finds the labels of a layer and puts them on a layer to paint on. */
  async findLabels(photoLayer: PhotoshopLayer): Promise<string> {
    return this.work(async (signal) => {
      const target = this.host.target();
      const question = `The layer "${LABELS}" is there already. Add a new one, with the labels that the server finds?`;
      if (this.host.labelLayer(target) && !(await this.screen.ask(question))) return "Nothing was changed.";
      const { photo, original } = await this.open(target, photoLayer, signal);
      await this.host.writeLabels(target, photo.bounds, labelPicture(original, this.labels), photo.profile);
      return `Paint on the layer "${LABELS}" with the colours of the palette, then generate.`;
    });
  }

  /** Renders what was painted into a new layer above the photo. */
  async generate(photoLayer: PhotoshopLayer, seed: number): Promise<string> {
    return this.work(async (signal) => {
      const target = this.host.target();
      const labelLayer = this.host.labelLayer(target);
      if (!labelLayer) throw new Problem("There is no label layer yet: find the labels first, then paint on their layer.");
      const painted = await this.host.read(target, labelLayer);
      const { photo, original, remote } = await this.open(target, photoLayer, signal);
      const { map, stray } = readLabels(onto(painted, photo.bounds), original, this.labels);
      if (!map.ids.some((id, i) => id !== original.ids[i])) {
        throw new Problem("The label layer asks for what the photo has already. Paint on it first.");
      }
      const result = await remote.render(
        { edited: map, changed: null, exclude: null, seed, previews: [] },
        { signal, onEvent: (event) => this.tell(event) },
      );
      signal.throwIfAborted();
      this.screen.progress("writing the layer", null);
      await this.host.writeResult(target, photoLayer, photo.bounds, result, photo.profile);
      if (!stray) return "The result is a new layer.";
      const where = `${photo.bounds.x + stray.x}, ${photo.bounds.y + stray.y}`;
      const strays = `${stray.count} pixels of the label layer, the first at ${where}, have a colour that no label has`;
      return `The result is a new layer. ${strays}; the server chose there.`;
    });
  }

  cancel(): void {
    this.running?.abort(Object.assign(new Error("Cancelled."), { name: "AbortError" }));
  }

  /** One piece of work at a time. */
  private async work(make: (signal: AbortSignal) => Promise<string>): Promise<string> {
    if (this.running) throw new Problem("Something is under way already; cancel it first.");
    if (!this.calls) throw new Problem("Connect to a server first.");
    this.running = new AbortController();
    try {
      return await make(this.running.signal);
    } finally {
      this.running = null;
    }
  }

  /** Uploads the photo and has it labelled, unless the server has exactly these pixels already. */
  private async open(target: Target, layer: PhotoshopLayer, signal: AbortSignal): Promise<Opened> {
    this.screen.progress("reading the photo", null);
    const photo = await this.host.read(target, layer);
    const known = this.opened;
    if (known && known.target.id === target.id && samePixels(known.photo, photo)) return known;
    const refusal = sendingRefusal(photo.bounds, this.info!);
    if (refusal) throw new Problem(refusal);
    const warning = sendingWarning(photo.bounds);
    if (warning && !(await this.screen.ask(warning))) throw new Problem("Nothing was sent.");
    await known?.remote.close();
    this.opened = null;
    const remote = new RemoteDocument(this.calls!, subject(photo), { packed: false });
    const run = { signal, onEvent: (event: RunEvent) => this.tell(event) };
    await remote.open(null, run);
    const original = await remote.segment(run);
    await remote.open(original, run);
    this.opened = { target, photo, original, remote };
    return this.opened;
  }

  private tell(event: RunEvent): void {
    if (event.type === "queued" && event.position > 0) this.screen.progress(`waiting, place ${event.position}`, null);
    else if (event.type === "progress") this.screen.progress(event.stage, event.done);
  }
}

function samePixels(a: LayerPixels, b: LayerPixels): boolean {
  return sameRect(a.bounds, b.bounds) && a.channels === b.channels && sameBytes(bytesOf(a.data), bytesOf(b.data));
}
