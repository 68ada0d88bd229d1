/**
 * A Photoshop that holds what is asked of it to its rules: changes only inside a modal scope, pixels in the document's own
 * depth, 16 bit from 0 to 32768, every image disposed of, one history state a suspension, and no layer touched but new ones.
 */

export interface MockLayer {
  id: number;
  name: string;
  kind: string;
  visible: boolean;
  opacity: number;
  bounds: { left: number; top: number; right: number; bottom: number };
  channels: 3 | 4;
  data: Uint8Array | Uint16Array;
  /** Of the canvas; null: none. */
  mask: Uint8Array | Uint16Array | null;
  move(relative: MockLayer, placement: string): void;
}

interface Image {
  width: number;
  height: number;
  components: number;
  componentSize: number;
  colorProfile: string;
  data: Uint8Array | Uint16Array;
  live: boolean;
}

/** The typed arrays of the realm that the plug-in runs in. */
export interface Realm {
  readonly Uint8Array: Uint8ArrayConstructor;
  readonly Uint16Array: Uint16ArrayConstructor;
}

export class MockDocument {
  readonly id = 7;
  readonly title = "photo.psd";
  mode = "RGBColorMode";
  /** From the top. */
  layers: MockLayer[] = [];
  activeLayers: MockLayer[] = [];
  readonly history: string[] = [];
  private made = 100;

  constructor(
    readonly width: number,
    readonly height: number,
    public bitsPerChannel: string,
    private readonly mock: MockPhotoshop,
  ) {}

  get deep(): boolean {
    return this.bitsPerChannel === "bitDepth16";
  }

  add(name: string, bounds: MockLayer["bounds"], channels: 3 | 4, data: MockLayer["data"], kind = "pixel"): MockLayer {
    const layer: MockLayer = {
      ...{ id: ++this.made, name, kind, visible: true, opacity: 100, bounds, channels, data, mask: null },
      move: (relative, placement) => {
        this.mock.changes();
        if (placement !== "placeBefore") throw new Error(`unknown placement ${placement}`);
        this.layers = this.layers.filter((other) => other !== layer);
        this.layers.splice(this.layers.indexOf(relative), 0, layer);
      },
    };
    this.layers.unshift(layer);
    this.activeLayers = [layer];
    return layer;
  }

  async createPixelLayer({ name, opacity = 100 }: { name: string; opacity?: number }): Promise<MockLayer> {
    this.mock.changes();
    const empty = { left: 0, top: 0, right: 0, bottom: 0 };
    const layer = this.add(name, empty, 4, new this.mock.realm.Uint8Array(0));
    layer.opacity = opacity;
    return layer;
  }
}

export class MockPhotoshop {
  document: MockDocument | null = null;
  readonly images: Image[] = [];
  foreground: number[] = [];
  modal = 0;
  /** Thrown by the next putLayerMask. */
  failure: Error | null = null;
  private suspended: { name: string; layers: MockLayer[] } | null = null;

  constructor(readonly realm: Realm) {}

  open(width: number, height: number, bits: 8 | 16 | 32 = 8): MockDocument {
    this.document = new MockDocument(width, height, `bitDepth${bits}`, this);
    return this.document;
  }

  /** Called by everything that changes a document. */
  changes(): void {
    if (!this.modal) throw new Error("Event: this command needs a modal scope.");
    if (!this.suspended) throw new Error("The history was not suspended.");
  }

  get leaks(): number {
    return this.images.filter(({ live }) => live).length;
  }

  private document_(id: number): MockDocument {
    if (this.document?.id !== id) throw new Error("no such document");
    return this.document;
  }

  private layer(documentID: number, layerID: number): MockLayer {
    const layer = this.document_(documentID).layers.find(({ id }) => id === layerID);
    if (!layer) throw new Error("no such layer");
    return layer;
  }

  private image(data: Image["data"], width: number, height: number, components: number, colorProfile: string) {
    const componentSize = data.BYTES_PER_ELEMENT * 8;
    const image: Image = { width, height, components, componentSize, colorProfile, data, live: true };
    this.images.push(image);
    return {
      ...{ width, height, components, componentSize, colorProfile, image },
      getData: async ({ chunky, fullRange }: { chunky: boolean; fullRange?: boolean }) => {
        if (!image.live) throw new Error("disposed");
        if (!chunky || fullRange) throw new Error("asked for another form");
        return data;
      },
      dispose: () => {
        image.live = false;
      },
    };
  }

  readonly core = {
    executeAsModal: async (work: (context: object) => Promise<unknown>, { commandName }: { commandName: string }) => {
      if (!commandName) throw new Error("a modal scope needs a name");
      if (this.modal) throw new Error("Photoshop is modal already");
      this.modal++;
      try {
        return await work({
          hostControl: {
            suspendHistory: async ({ documentID, name }: { documentID: number; name: string }) => {
              const { layers } = this.document_(documentID);
              this.suspended = { name, layers: layers.map((layer) => ({ ...layer })) };
              return 5;
            },
            resumeHistory: async (suspension: number, commit = true) => {
              if (suspension !== 5 || !this.suspended) throw new Error("not suspended");
              if (commit) this.document!.history.push(this.suspended.name);
              else this.document!.layers = this.suspended.layers;
              this.suspended = null;
            },
          },
        });
      } finally {
        if (this.suspended) throw new Error("the history was left suspended");
        this.modal--;
      }
    },
  };

  readonly action = {
    batchPlay: async (commands: { _obj: string; _target?: { _id: number }[]; using?: { _value: string } }[]) => {
      this.changes();
      const document = this.document!;
      for (const command of commands) {
        if (command._obj === "select") {
          document.activeLayers = document.layers.filter(({ id }) => id === command._target![0]!._id);
        } else if (command._obj === "make" && command.using?._value === "hideAll") {
          document.activeLayers[0]!.mask = new this.realm.Uint8Array(document.width * document.height);
        } else throw new Error(`unknown command ${command._obj}`);
      }
      return [];
    },
  };

  readonly imaging = {
    getPixels: async (options: { documentID: number; layerID: number; sourceBounds: MockLayer["bounds"]; componentSize: number }) => {
      const layer = this.layer(options.documentID, options.layerID);
      if (options.componentSize !== (this.document!.deep ? 16 : 8)) throw new Error("another depth than the document's");
      const { left, top, right, bottom } = options.sourceBounds;
      const [width, height, across] = [right - left, bottom - top, layer.bounds.right - layer.bounds.left];
      const data = new (this.document!.deep ? this.realm.Uint16Array : this.realm.Uint8Array)(width * height * layer.channels);
      for (let y = 0; y < height; y++) {
        const from = ((top + y - layer.bounds.top) * across + left - layer.bounds.left) * layer.channels;
        data.set(layer.data.subarray(from, from + width * layer.channels), y * width * layer.channels);
      }
      return { imageData: this.image(data, width, height, layer.channels, "Adobe RGB (1998)"), sourceBounds: options.sourceBounds };
    },
    createImageDataFromBuffer: async (
      buffer: Uint8Array | Uint16Array,
      options: { width: number; height: number; components: number; chunky: boolean; fullRange?: boolean; colorProfile?: string },
    ) => {
      const { width, height, components, colorProfile = "" } = options;
      if (buffer.length !== width * height * components || !options.chunky || options.fullRange) throw new Error("bad buffer");
      if (buffer instanceof this.realm.Uint16Array && buffer.some((value) => value > 32768)) throw new Error("above 32768");
      return this.image(buffer.slice(), width, height, components, colorProfile);
    },
    putPixels: async (options: { documentID: number; layerID: number; imageData: { image: Image }; targetBounds: { left: number; top: number } }) => {
      this.changes();
      const { width, height, components, data, live, componentSize, colorProfile } = options.imageData.image;
      if (!live || componentSize !== (this.document!.deep ? 16 : 8)) throw new Error("bad image");
      if (colorProfile !== "Adobe RGB (1998)") throw new Error("the numbers would be converted");
      const { left, top } = options.targetBounds;
      const bounds = { left, top, right: left + width, bottom: top + height };
      Object.assign(this.layer(options.documentID, options.layerID), { bounds, channels: components, data: data.slice() });
    },
    putLayerMask: async (options: { documentID: number; layerID: number; imageData: { image: Image }; targetBounds: { left: number; top: number } }) => {
      this.changes();
      if (this.failure) throw this.failure;
      const { width, height, components, data } = options.imageData.image;
      const layer = this.layer(options.documentID, options.layerID);
      if (components !== 1 || !layer.mask) throw new Error("no mask to write to");
      const canvas = this.document!.width;
      const mask = data.BYTES_PER_ELEMENT === 2 ? new this.realm.Uint16Array(layer.mask) : layer.mask;
      for (let y = 0; y < height; y++) {
        const to = (options.targetBounds.top + y) * canvas + options.targetBounds.left;
        mask.set(data.subarray(y * width, (y + 1) * width), to);
      }
      layer.mask = mask;
    },
  };

  readonly app = ((mock: MockPhotoshop) => ({
    get activeDocument() {
      return mock.document;
    },
    get documents() {
      return mock.document ? [mock.document] : [];
    },
    SolidColor: class {
      rgb = { red: 0, green: 0, blue: 0 };
    },
    set foregroundColor(color: { rgb: { red: number; green: number; blue: number } }) {
      if (!mock.modal) throw new Error("needs a modal scope");
      mock.foreground = [color.rgb.red, color.rgb.green, color.rgb.blue];
    },
  }))(this);
}
