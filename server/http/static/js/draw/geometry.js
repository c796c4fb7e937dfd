/** Affine maps of the plane, as [a, b, c, d, e, f]: x becomes a x + b y + c, y becomes d x + e y + f. */

export const IDENTITY = [1, 0, 0, 0, 1, 0];

/** Where a map takes a point. */
export function apply([a, b, c, d, e, f], x, y) {
  return [a * x + b * y + c, d * x + e * y + f];
}

/** How much larger areas become. */
export function determinant([a, b, , d, e]) {
  return a * e - b * d;
}

/** The map back. */
export function invert(map) {
  const [a, b, c, d, e, f] = map;
  const det = determinant(map);
  return [e, -b, b * f - c * e, -d, a, c * d - a * f].map((x) => x / det);
}

/**
 * Scale, squeeze (`width`, of the columns alone) and turn clockwise about the centre of an image of
 * rows x columns, then shift; lengths are pixels, angles degrees.
 */
export function mapOf({ right, down, scale, width, degrees }, [rows, columns]) {
  const [x, y] = [columns / 2, rows / 2];
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
  return [
    cos * width, -sin, x + right - cos * width * x + sin * y,
    sin * width, cos, y + down - sin * width * x - cos * y,
  ];
}
