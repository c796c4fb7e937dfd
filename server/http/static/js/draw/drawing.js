/** What has been drawn, step by step, and the image that becomes of it. */

import { normalNoise } from "../random.js";
import { invert, mapOf } from "./geometry.js";
import { Raster, average, resample } from "./raster.js";
import { thicken } from "./thickness.js";

export const UNCHANGED = {
  right: 0, down: 0, scale: 1, width: 1, degrees: 0, thickness: 0, noise: 0, seed: 1, isInverted: false,
};

/** Steps are strokes {points, isEraser}, and images {image} that replace all before (null: clear). */
export class Drawing {
  #steps = [];
  #done = 0;

  constructor(shape) {
    this.shape = shape;
    this.raster = new Raster(shape);
  }

  get canUndo() {
    return this.#done > 0;
  }

  get canRedo() {
    return this.#done < this.#steps.length;
  }

  get isEmpty() {
    return !this.#seen().some(({ image, points }) => image || points);
  }

  /** Begin a stroke at a point [x, y, radius]. */
  begin(point, isEraser) {
    this.#add({ points: [point], isEraser });
    this.raster.stamp(point, point, isEraser);
  }

  /** Go on to a point. */
  extend(point) {
    const { points, isEraser } = this.#steps[this.#done - 1];
    this.raster.stamp(points.at(-1), point, isEraser);
    points.push(point);
  }

  /** Begin anew with the ink of an image, or with nothing. */
  replace(image) {
    this.#add({ image });
    this.raster.fill(image);
  }

  /** Go so many steps back (-1) or forth (1). */
  go(by) {
    this.#done = Math.min(this.#steps.length, Math.max(0, this.#done + by));
    this.raster.fill(null);
    for (const { image, points, isEraser } of this.#seen()) {
      if (!points) this.raster.fill(image);
      else points.forEach((point, at) => this.raster.stamp(points[Math.max(0, at - 1)], point, isEraser));
    }
  }

  /** The image as points at high resolution and as pixels, both ink in [0, 1]. */
  render({ thickness, noise, seed, isInverted, ...moved }) {
    const { ink, width, factor } = this.raster;
    // Half of it on either side.
    const thick = thickness ? thicken(ink, width, (thickness * factor) / 2) : ink;
    let points = resample(this.raster, thick, invert(mapOf(moved, this.shape)));
    if (isInverted) points = points.map((x) => 1 - x);
    let pixels = average(points, this.shape, factor);
    if (noise) {
      const disturbance = normalNoise(pixels.length, seed);
      pixels = pixels.map((x, at) => Math.min(1, Math.max(0, x + noise * disturbance[at])));
    }
    return { points, pixels };
  }

  /** The steps from the last image on. */
  #seen() {
    const steps = this.#steps.slice(0, this.#done);
    return steps.slice(Math.max(0, steps.findLastIndex((step) => "image" in step)));
  }

  #add(step) {
    this.#steps.splice(this.#done, Infinity, step);
    this.#done += 1;
  }
}
