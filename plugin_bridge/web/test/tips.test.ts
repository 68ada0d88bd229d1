/** Where tooltips lie: beside what they tell about, and never outside the window. */

import { describe, expect, it } from "vitest";
import { tipPlace } from "../src/ui/tips";

const ROOM = { width: 1000, height: 600 };
const TIP = { width: 120, height: 24 };
const about = (left: number, top: number) => ({ left, top, width: 28, height: 28 });

describe("tooltips", () => {
  it("lie on the side that is asked for, in the middle", () => {
    expect(tipPlace(about(500, 300), TIP, "below", ROOM)).toEqual({ x: 454, y: 334 });
    expect(tipPlace(about(500, 300), TIP, "above", ROOM)).toEqual({ x: 454, y: 270 });
    expect(tipPlace(about(500, 300), TIP, "left", ROOM)).toEqual({ x: 374, y: 302 });
    expect(tipPlace(about(500, 300), TIP, "right", ROOM)).toEqual({ x: 534, y: 302 });
  });

  it("turn to the other side where the window ends", () => {
    expect(tipPlace(about(500, 570), TIP, "below", ROOM).y).toBe(540);
    expect(tipPlace(about(500, 2), TIP, "above", ROOM).y).toBe(36);
    expect(tipPlace(about(10, 300), TIP, "left", ROOM).x).toBe(44);
    expect(tipPlace(about(960, 300), TIP, "right", ROOM).x).toBe(834);
  });

  it("stay inside the window, even where no side has room", () => {
    expect(tipPlace(about(970, 300), TIP, "below", ROOM).x).toBe(876);
    expect(tipPlace(about(0, 300), TIP, "above", ROOM).x).toBe(4);
    expect(tipPlace(about(30, 8), { width: 990, height: 24 }, "left", ROOM)).toEqual({ x: 4, y: 10 });
  });
});
