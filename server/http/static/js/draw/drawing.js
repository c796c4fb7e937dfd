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
  #thick = null;

  constructor(shape) {
    this.raster = new Raster(shape);
  }

  get shape() {
    return this.raster.shape;
  }

  get canUndo() {
    return this.#done > 0;
  }

  get canRedo() {
    return this.#done < this.#steps.length;
  }

  get isEmpty() {
    return !this.#current().some((step) => step.image || step.points);
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
    this.#thick = null;
  }

  /** Begin anew with the ink of an image, or with nothing. */
  replace(image) {
    if (!image && this.isEmpty) return;
    this.#add({ image });
    this.raster.fill(image);
  }

  undo() {
    this.#go(-1);
  }

  redo() {
    this.#go(1);
  }

  /** The image as points at high resolution and as pixels, both ink in [0, 1]. */
  render(adjustments) {
    const { raster, shape } = this;
    const { factor } = raster;
    const points = resample(raster, this.#thickened(adjustments.thickness), invert(mapOf(adjustments, shape)));
    let pixels = average(points, shape, factor);
    if (adjustments.isInverted) {
      for (const ink of [points, pixels]) ink.forEach((x, at) => (ink[at] = 1 - x));
    }
    if (adjustments.noise) {
      const noise = normalNoise(pixels.length, adjustments.seed);
      pixels = pixels.map((x, at) => Math.min(1, Math.max(0, x + adjustments.noise * noise[at])));
    }
    return { points, pixels };
  }

  #thickened(thickness) {
    const { ink, width, height, factor } = this.raster;
    // To both sides, hence half.
    const radius = (thickness * factor) / 2;
    if (Math.abs(radius) < 1) return ink;
    if (this.#thick?.radius !== radius) {
      this.#thick = { radius, ink: thicken(ink, width, height, radius) };
    }
    return this.#thick.ink;
  }

  /** The steps that can still be seen: from the last image on. */
  #current() {
    const steps = this.#steps.slice(0, this.#done);
    return steps.slice(Math.max(0, steps.findLastIndex((step) => "image" in step)));
  }

  #add(step) {
    this.#steps.splice(this.#done, Infinity, step);
    this.#done += 1;
    this.#thick = null;
  }

  #go(by) {
    const next = this.#done + by;
    if (next < 0 || next > this.#steps.length) return;
    this.#done = next;
    this.#thick = null;
    this.raster.fill(null);
    for (const { image, points, isEraser } of this.#current()) {
      if (!points) this.raster.fill(image);
      else points.forEach((point, at) => this.raster.stamp(points[Math.max(0, at - 1)], point, isEraser));
    }
  }
}
