/** A soft brush on a grid of weights: what a stroke makes of them. */

/** The cells that a brush of radius 0 or 1 touches, with its strength in each. */
function touched(cell, radius, rows, columns) {
  const [row, column] = [Math.floor(cell / columns), cell % columns];
  const found = [];
  for (let down = -radius; down <= radius; down += 1) {
    for (let right = -radius; right <= radius; right += 1) {
      const [r, c] = [row + down, column + right];
      if (r < 0 || r >= rows || c < 0 || c >= columns) continue;
      found.push([r * columns + c, 1 / 2 ** (Math.abs(down) + Math.abs(right))]);
    }
  }
  return found;
}

/**
 * Begin a stroke over `before`, the weights as they are. The function that is returned takes the cells
 * that the stroke crosses next and returns [cell, weight] pairs. However often a stroke crosses a cell,
 * it adds `amount` at most, and less beside its middle; with `erases` it takes what is there instead.
 */
export function beginStroke(before, { rows, columns, radius, amount, erases }) {
  const shares = new Map();
  return (cells) => {
    const changes = new Map();
    for (const [cell, share] of cells.flatMap((middle) => touched(middle, radius, rows, columns))) {
      if (share <= (shares.get(cell) ?? 0)) continue;
      shares.set(cell, share);
      changes.set(cell, erases ? before[cell] * (1 - share) : before[cell] + amount * share);
    }
    return [...changes];
  };
}
