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
    this.ink.fill(0);
    if (!image) return;
    const { factor, margin, width, shape } = this;
    const [rows, columns] = shape;
    for (let v = 0; v < rows * factor; v += 1) {
      const to = (v + margin * factor) * width + margin * factor;
      const from = Math.floor(v / factor) * columns;
      for (let u = 0; u < columns * factor; u += 1) this.ink[to + u] = image[from + Math.floor(u / factor)];
    }
  }

  /** Ink, or erase, along a line between points [x, y, radius] in pixels from the image's corner. */
  stamp([ax, ay, aRadius], [bx, by, bRadius], isEraser = false) {
    const { factor, margin, width, height, ink } = this;
    const reach = (1 + SOFTNESS) * Math.max(aRadius, bRadius);
    const first = (x) => Math.max(0, Math.floor((x - reach + margin) * factor));
    const end = (x, size) => Math.min(size, Math.ceil((x + reach + margin) * factor));
    const [dx, dy] = [bx - ax, by - ay];
    const squared = dx * dx + dy * dy || 1;
    const [uEnd, vEnd] = [end(Math.max(ax, bx), width), end(Math.max(ay, by), height)];
    for (let v = first(Math.min(ay, by)); v < vEnd; v += 1) {
      const y = (v + 0.5) / factor - margin - ay;
      for (let u = first(Math.min(ax, bx)); u < uEnd; u += 1) {
        const x = (u + 0.5) / factor - margin - ax;
        const along = Math.min(1, Math.max(0, (x * dx + y * dy) / squared));
        const radius = aRadius + along * (bRadius - aRadius);
        const distance = Math.hypot(x - along * dx, y - along * dy);
        const share = Math.min(1, Math.max(0, (1 + SOFTNESS - distance / radius) / (2 * SOFTNESS)));
        const covered = share * share * (3 - 2 * share);
        const at = v * width + u;
        // Not added up: a stroke that crosses itself is no brighter there.
        ink[at] = isEraser ? Math.min(ink[at], 1 - covered) : Math.max(ink[at], covered);
      }
    }
  }
}

/** The image's part of such points, each taken from where the map `back` says: rows x columns x factor². */
export function resample({ shape, factor, margin, width, height }, ink, back) {
  const [rows, columns] = shape;
  const [a, b, c, d, e, f] = back;
  const wide = columns * factor;
  const sampled = new Float32Array(rows * factor * wide);
  for (let v = 0; v < rows * factor; v += 1) {
    const y = (v + 0.5) / factor;
    for (let u = 0; u < wide; u += 1) {
      const x = (u + 0.5) / factor;
      const column = Math.floor((a * x + b * y + c + margin) * factor);
      const row = Math.floor((d * x + e * y + f + margin) * factor);
      if (column >= 0 && column < width && row >= 0 && row < height) {
        sampled[v * wide + u] = ink[row * width + column];
      }
    }
  }
  return sampled;
}

/** Pixels, each the mean of its factor x factor points. */
export function average(points, [rows, columns], factor) {
  const sums = new Float64Array(rows * columns);
  const wide = columns * factor;
  for (let at = 0; at < points.length; at += 1) {
    const row = Math.floor(at / wide / factor);
    sums[row * columns + Math.floor((at % wide) / factor)] += points[at];
  }
  return Float32Array.from(sums, (sum) => sum / (factor * factor));
}
