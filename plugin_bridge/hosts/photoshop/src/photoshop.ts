/** The parts of Photoshop's interfaces that are used here (https://developer.adobe.com/photoshop/uxp). */

export interface PhotoshopBounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface PhotoshopLayer {
  readonly id: number;
  name: string;
  readonly kind: string;
  visible: boolean;
  opacity: number;
  readonly bounds: PhotoshopBounds;
  readonly layers?: readonly PhotoshopLayer[] | null;
  move(relative: PhotoshopLayer, placement: string): void;
}

export interface PhotoshopDocument {
  readonly id: number;
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly mode: string;
  readonly bitsPerChannel: string;
  readonly layers: readonly PhotoshopLayer[];
  activeLayers: readonly PhotoshopLayer[];
  createPixelLayer(options: { name: string; opacity?: number }): Promise<PhotoshopLayer>;
}

export interface PhotoshopImageData {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** 8, 16 or 32. */
  readonly componentSize: number;
  readonly colorProfile: string;
  getData(options: { chunky: boolean; fullRange?: boolean }): Promise<Uint8Array | Uint16Array | Float32Array>;
  dispose(): void;
}

export interface Imaging {
  getPixels(options: {
    documentID: number;
    layerID: number;
    sourceBounds: PhotoshopBounds;
    colorSpace: "RGB";
    componentSize?: number;
    applyAlpha?: boolean;
  }): Promise<{ imageData: PhotoshopImageData; sourceBounds: PhotoshopBounds }>;
  createImageDataFromBuffer(
    buffer: Uint8Array | Uint16Array,
    options: {
      width: number;
      height: number;
      components: number;
      chunky: boolean;
      colorSpace: "RGB" | "Grayscale";
      colorProfile?: string;
      fullRange?: boolean;
    },
  ): Promise<PhotoshopImageData>;
  putPixels(options: {
    documentID: number;
    layerID: number;
    imageData: PhotoshopImageData;
    targetBounds: { left: number; top: number };
    replace: boolean;
    commandName: string;
  }): Promise<void>;
  putLayerMask(options: {
    documentID: number;
    layerID: number;
    kind: "user";
    imageData: PhotoshopImageData;
    targetBounds: { left: number; top: number };
    replace: boolean;
    commandName: string;
  }): Promise<void>;
}

export interface ExecutionContext {
  readonly hostControl: {
    suspendHistory(options: { documentID: number; name: string }): Promise<number>;
    resumeHistory(suspension: number, commit?: boolean): Promise<void>;
  };
}

export interface Photoshop {
  readonly app: {
    readonly activeDocument: PhotoshopDocument | null;
    readonly documents: readonly PhotoshopDocument[];
    foregroundColor: unknown;
    readonly SolidColor: new () => { rgb: { red: number; green: number; blue: number } };
  };
  readonly core: {
    executeAsModal<T>(work: (context: ExecutionContext) => Promise<T>, options: { commandName: string }): Promise<T>;
  };
  readonly action: {
    batchPlay(commands: readonly object[], options: object): Promise<object[]>;
  };
  readonly imaging: Imaging;
}

export interface Uxp {
  readonly entrypoints: {
    setup(options: { panels: Record<string, { show(root: HTMLElement): void }> }): void;
  };
}
