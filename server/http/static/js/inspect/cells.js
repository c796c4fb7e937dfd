/** Places in a grid of cells, which are counted row by row. */

/** Rows and columns for so many cells, about `ratio` times as wide as high. */
export function gridOf(count, ratio = 1) {
  const columns = Math.max(1, Math.min(count, Math.round(Math.sqrt(count * ratio))));
  return [Math.ceil(count / columns), columns];
}

/** The cell that a key leads to, or null for a key that leads nowhere. */
export function moved(cell, key, columns, count) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (!(key in steps)) return null;
  const next = cell + steps[key];
  return next >= 0 && next < count ? next : cell;
}

/** The cells on the straight way from one to another, both included. */
export function cellsBetween(from, to, columns) {
  const [x, y] = [from % columns, Math.floor(from / columns)];
  const [right, down] = [(to % columns) - x, Math.floor(to / columns) - y];
  const steps = Math.max(Math.abs(right), Math.abs(down), 1);
  const cells = [];
  for (let k = 0; k <= steps; k += 1) {
    const cell = Math.round(y + (down * k) / steps) * columns + Math.round(x + (right * k) / steps);
    if (cells.at(-1) !== cell) cells.push(cell);
  }
  return cells;
}
