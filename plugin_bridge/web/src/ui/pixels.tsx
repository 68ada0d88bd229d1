/** A small picture of pixels that lie in memory. */

import { useEffect, useRef } from "preact/hooks";
import { sampled, type Extent } from "../model/geometry";
import { Icon } from "./icons";

interface PixelsProps extends Extent {
  /** Straight RGBA. */
  pixels: Uint8ClampedArray;
  /** The shape that it is shown in, where that isn't its own. */
  shape?: Extent;
  /** CSS pixels of the longer side, or of the height; neither: its styles say how large it is. */
  side?: number;
  tall?: number;
}

/**
 * Draws every pixel as the nearest one of the picture: good enough where it is reduced, and quick. What is smaller than its
 * place is drawn as it is, and smoothed by the browser.
 */
function draw(canvas: HTMLCanvasElement, { width, height, pixels, shape = { width, height }, side, tall }: PixelsProps): void {
  const sized = side !== undefined || tall !== undefined;
  const scale = tall !== undefined ? tall / shape.height : (side ?? 1) / Math.max(shape.width, shape.height);
  const [across, down] = sized ? [shape.width * scale, shape.height * scale] : [width, height];
  canvas.width = Math.max(1, Math.min(width, Math.round(across * devicePixelRatio)));
  canvas.height = Math.max(1, Math.min(height, Math.round(down * devicePixelRatio)));
  if (sized) Object.assign(canvas.style, { width: `${Math.round(across)}px`, height: `${Math.round(down)}px` });
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(canvas.width, canvas.height);
  for (let y = 0, to = 0; y < canvas.height; y++) {
    const row = sampled(y, canvas.height, height) * width;
    for (let x = 0; x < canvas.width; x++, to += 4) {
      const from = (row + sampled(x, canvas.width, width)) * 4;
      for (let channel = 0; channel < 4; channel++) image.data[to + channel] = pixels[from + channel]!;
    }
  }
  context.putImageData(image, 0, 0);
}

export function Pixels(props: PixelsProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { pixels, side, tall, shape } = props;
  useEffect(() => draw(canvas.current!, props), [pixels, side, tall, shape?.width, shape?.height]);
  return <canvas class="pixels" ref={canvas} aria-hidden="true" />;
}

interface ThumbProps {
  name: string;
  picture: PixelsProps;
  chosen: boolean;
  /** The one that Tab comes to where none is chosen. */
  first?: boolean;
  onChoose: () => void;
}

/** One of a strip of small pictures, of which one is chosen. */
export function Thumb({ name, picture, chosen, first = false, onChoose }: ThumbProps) {
  return (
    <li role="none">
      <button
        type="button"
        role="radio"
        class="thumb"
        aria-checked={chosen}
        aria-label={name}
        tabIndex={chosen || first ? 0 : -1}
        data-tip={name}
        data-side="above"
        onClick={onChoose}
      >
        <Pixels {...picture} />
      </button>
    </li>
  );
}

/** Stands where a picture is missing. */
export function NoPixels() {
  return (
    <span class="pixels none" aria-hidden="true">
      <Icon name="photo" />
    </span>
  );
}
