/** A drawing at high resolution, larger than the image: what is shifted out can be shifted back. */

const LONGER_SIDE = 280;

/** How much of a brush's radius is its soft edge, on either side: reads as MNIST's strokes do. */
const SOFTNESS = 0.27;

/** `factor` x `factor` points of ink, each in [0, 1], for each pixel of the image and of its margin. */
export class Raster {
  constructor([rows, columns]) {
    const side = Math.max(rows, columns);
    this.shape = [rows, columns];
    this.factor = Math.min(40, Math.ceil(LONGER_SIDE / side));
    this.margin = Math.ceil(side / 2);
    this.width = this.factor * (columns + 2 * this.margin);
    this.height = this.factor * (rows + 2 * this.margin);
    this.ink = new Float32Array(this.width * this.height);
  }

  /** Begin with an image of rows x columns, or with nothing. */
  fill(image) {
    const { factor, margin, width, shape } = this;
    const columns = shape[1];
    this.ink = this.ink.map((_, at) => {
      const column = Math.floor((at % width) / factor) - margin;
      const row = Math.floor(at / width / factor) - margin;
      return (column >= 0 && column < columns && image?.[row * columns + column]) || 0;
    });
  }

  /** Ink, or erase, along a line between points [x, y, radius] in pixels from the image's corner. */
  stamp([ax, ay, aRadius], [bx, by, bRadius], isEraser = false) {
    const { factor, margin, width, height, ink } = this;
    const reach = (1 + SOFTNESS) * Math.max(aRadius, bRadius);
    const within = (x, size) => Math.min(size, Math.max(0, Math.round((x + margin) * factor)));
    const [left, right] = [Math.min(ax, bx) - reach, Math.max(ax, bx) + reach].map((x) => within(x, width));
    const [top, bottom] = [Math.min(ay, by) - reach, Math.max(ay, by) + reach].map((y) => within(y, height));
    const [dx, dy] = [bx - ax, by - ay];
    for (let v = top; v < bottom; v += 1) {
      const y = (v + 0.5) / factor - margin - ay;
      for (let u = left; u < right; u += 1) {
        const x = (u + 0.5) / factor - margin - ax;
        const along = Math.min(1, Math.max(0, (x * dx + y * dy) / (dx * dx + dy * dy || 1)));
        const distance = Math.hypot(x - along * dx, y - along * dy) / (aRadius + along * (bRadius - aRadius));
        const share = Math.min(1, Math.max(0, (1 + SOFTNESS - distance) / (2 * SOFTNESS)));
        const covered = share * share * (3 - 2 * share);
        const at = v * width + u;
        // Not added up: a stroke that crosses itself is no brighter there.
        ink[at] = isEraser ? Math.min(ink[at], 1 - covered) : Math.max(ink[at], covered);
      }
    }
  }
}

/** The image's part of such points, each taken from where the map `back` says: rows x columns x factor². */
export function resample({ shape, factor, margin, width }, ink, [a, b, c, d, e, f]) {
  const wide = shape[1] * factor;
  return new Float32Array(shape[0] * factor * wide).map((_, at) => {
    const [x, y] = [((at % wide) + 0.5) / factor, (Math.floor(at / wide) + 0.5) / factor];
    const column = Math.floor((a * x + b * y + c + margin) * factor);
    const row = Math.floor((d * x + e * y + f + margin) * factor);
    return (column >= 0 && column < width && ink[row * width + column]) || 0;
  });
}

/** Pixels, each the mean of its factor x factor points. */
export function average(points, [rows, columns], factor) {
  const sums = new Float64Array(rows * columns);
  points.forEach((ink, at) => {
    const row = Math.floor(at / columns / factor ** 2);
    sums[row * columns + Math.floor(at / factor) % columns] += ink;
  });
  return Float32Array.from(sums, (sum) => sum / factor ** 2);
}
