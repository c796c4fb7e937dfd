/** What has been drawn, step by step, and the image that becomes of it. */

import { normalNoise } from "../random.js";
import { Raster, average, clamp, resample, thicken } from "./raster.js";

/** What the sliders say at first; lengths are pixels, angles degrees clockwise, `width` squeezes columns. */
export const UNCHANGED = {
  right: 0, down: 0, scale: 1, width: 1, degrees: 0, thickness: 0, noise: 0, seed: 1, isInverted: false,
};

/** Where they take a point of an image of rows x columns: about its centre, and then shifted. */
export function mapOf({ right, down, scale, width, degrees }, [rows, columns]) {
  const [x, y] = [columns / 2, rows / 2];
  return new DOMMatrix().translate(x + right, y + down).rotate(degrees).scale(scale * width, scale).translate(-x, -y);
}

/** Steps are strokes {points: [x, y, radius] each, isEraser}, and images {image} that replace all before. */
export class Drawing {
  steps = [];
  done = 0;

  constructor(shape) {
    this.shape = shape;
    this.raster = new Raster(shape);
  }

  get isEmpty() {
    return !this.raster.ink.some(Boolean);
  }

  add(step) {
    this.steps.splice(this.done, Infinity, step);
    this.done += 1;
    this.#draw(step);
  }

  /** Go on with the last stroke. */
  extend(point) {
    const { points, isEraser } = this.steps[this.done - 1];
    this.raster.stamp(points.at(-1), point, isEraser);
    points.push(point);
  }

  /** Go so many steps back (-1) or forth (1). */
  go(by) {
    this.done = clamp(this.done + by, 0, this.steps.length);
    const steps = this.steps.slice(0, this.done);
    this.raster.fill([]);
    for (const step of steps.slice(Math.max(0, steps.findLastIndex(({ image }) => image)))) this.#draw(step);
  }

  /** The image as points at high resolution and as pixels, both ink in [0, 1]. */
  render({ thickness, noise, seed, isInverted, ...moved }) {
    const { ink, width, factor, map } = this.raster;
    const [rows, columns] = this.shape;
    // Half of it on either side.
    const thick = thickness ? thicken(ink, width, (thickness * factor) / 2) : ink;
    const back = map.multiply(mapOf(moved, this.shape).inverse()).scale(1 / factor);
    let points = resample(thick, width, back, columns * factor, rows * factor);
    if (isInverted) points = points.map((x) => 1 - x);
    let pixels = average(points, this.shape, factor);
    if (noise) {
      const disturbance = normalNoise(pixels.length, seed);
      pixels = pixels.map((x, at) => clamp(x + noise * disturbance[at]));
    }
    return { points, pixels };
  }

  #draw({ image, points, isEraser }) {
    if (image) this.raster.fill(image);
    else points.forEach((point, at) => this.raster.stamp(points[Math.max(0, at - 1)], point, isEraser));
  }
}
