/** A drawing at high resolution, larger than the image: what is shifted out can be shifted back. */

const LONGER_SIDE = 280;

/** How much of a brush's radius is its soft edge, on either side: reads as MNIST's strokes do. */
const SOFTNESS = 0.27;

export const clamp = (x, low = 0, high = 1) => Math.min(high, Math.max(low, x));

/** `factor` x `factor` points of ink, each in [0, 1], for each pixel of the image and of its margin. */
export class Raster {
  constructor([rows, columns]) {
    const side = Math.max(rows, columns);
    this.columns = columns;
    this.factor = Math.min(40, Math.ceil(LONGER_SIDE / side));
    this.margin = Math.ceil(side / 2);
    this.width = this.factor * (columns + 2 * this.margin);
    this.height = this.factor * (rows + 2 * this.margin);
    /** From pixels to points. */
    this.map = new DOMMatrix().scale(this.factor).translate(this.margin, this.margin);
    this.fill([]);
  }

  /** Begin with an image, or with nothing. */
  fill(image) {
    this.ink = resample(image, this.columns, this.map.inverse(), this.width, this.height);
  }

  /** Ink, or erase, along a line between [x, y, radius] in pixels from the image's corner. */
  stamp(from, to, isEraser = false) {
    const { factor, margin, width, height, ink } = this;
    const [[ax, ay, aRadius], [bx, by, bRadius]] = [from, to].map(([x, y, radius]) => [
      (x + margin) * factor - 0.5, (y + margin) * factor - 0.5, radius * factor,
    ]);
    const reach = (1 + SOFTNESS) * Math.max(aRadius, bRadius);
    const within = (size, ...ends) => ends.map((x) => clamp(Math.round(x), 0, size - 1));
    const [left, right] = within(width, Math.min(ax, bx) - reach, Math.max(ax, bx) + reach);
    const [top, bottom] = within(height, Math.min(ay, by) - reach, Math.max(ay, by) + reach);
    const [dx, dy] = [bx - ax, by - ay];
    for (let y = top; y <= bottom; y += 1) {
      for (let x = left; x <= right; x += 1) {
        const along = clamp(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1));
        const distance = Math.hypot(x - ax - along * dx, y - ay - along * dy);
        const inside = 1 + SOFTNESS - distance / (aRadius + along * (bRadius - aRadius));
        const share = clamp(inside / (2 * SOFTNESS));
        const covered = share * share * (3 - 2 * share);
        const at = y * width + x;
        // Not added up: a stroke that crosses itself is no brighter there.
        ink[at] = isEraser ? Math.min(ink[at], 1 - covered) : Math.max(ink[at], covered);
      }
    }
  }
}

/** Points in rows of `width`, each taken from where a map leads among others; beyond those it is 0. */
export function resample(from, fromWidth, { a, b, c, d, e, f }, width, height) {
  return new Float32Array(width * height).map((_, at) => {
    const [x, y] = [(at % width) + 0.5, Math.floor(at / width) + 0.5];
    const column = Math.floor(a * x + c * y + e);
    const row = Math.floor(b * x + d * y + f);
    return (column >= 0 && column < fromWidth && from[row * fromWidth + column]) || 0;
  });
}

/** Pixels, each the mean of its factor x factor points. */
export function average(points, [rows, columns], factor) {
  const pixels = new Float64Array(rows * columns);
  points.forEach((ink, at) => {
    const row = Math.floor(at / columns / factor ** 2);
    pixels[row * columns + Math.floor(at / factor) % columns] += ink / factor ** 2;
  });
  return Float32Array.from(pixels);
}

/** Each point in rows of `width` as bright as the brightest within a radius; with a negative one, as the darkest. */
export function thicken(points, width, radius) {
  if (radius < 0) return thicken(points.map((x) => 1 - x), width, -radius).map((x) => 1 - x);
  const reach = Math.floor(radius);
  const beside = [1, -1, width, -width];
  const thick = points.slice();
  points.forEach((x, at) => {
    // Whose neighbours are as bright spreads nothing that one of them doesn't.
    if (!beside.some((step) => points[at + step] < x)) return;
    const column = at % width;
    for (let dy = -reach; dy <= reach; dy += 1) {
      const row = at - column + dy * width;
      const half = Math.floor(Math.sqrt(radius * radius - dy * dy));
      const end = row + Math.min(width - 1, column + half);
      // Beyond the ends of an array nothing is smaller.
      for (let to = row + Math.max(0, column - half); to <= end; to += 1) if (thick[to] < x) thick[to] = x;
    }
  });
  return thick;
}
