/** Places in a grid of cells, which are counted row by row. */

/** Rows and columns for so many cells, about `ratio` times as wide as high. */
export function gridOf(count, ratio = 1) {
  const columns = Math.max(1, Math.min(count, Math.round(Math.sqrt(count * ratio))));
  return [Math.ceil(count / columns), columns];
}

/** The cells on the straight way from one to another, both included. */
export function cellsBetween(from, to, columns) {
  const [x, y] = [from % columns, Math.floor(from / columns)];
  const [right, down] = [(to % columns) - x, Math.floor(to / columns) - y];
  const steps = Math.max(Math.abs(right), Math.abs(down), 1);
  const way = Array.from({ length: steps + 1 }, (_, k) => k / steps);
  const cells = way.map((share) => Math.round(y + down * share) * columns + Math.round(x + right * share));
  return [...new Set(cells)];
}
