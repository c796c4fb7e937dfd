/** A soft brush on a grid of weights: what a stroke makes of them. */

/** The cells that a brush of radius 0 or 1 touches, each with its share of the strength. */
function touched(cell, radius, rows, columns) {
  const found = [];
  for (let down = -radius; down <= radius; down += 1) {
    for (let right = -radius; right <= radius; right += 1) {
      const [row, column] = [Math.floor(cell / columns) + down, (cell % columns) + right];
      const isInside = row >= 0 && row < rows && column >= 0 && column < columns;
      if (isInside) found.push([row * columns + column, 1 / 2 ** (Math.abs(down) + Math.abs(right))]);
    }
  }
  return found;
}

/**
 * Begin a stroke over the weights as they are. The function that is returned takes the cells that the
 * stroke crosses next, and returns [cell, weight] pairs. However often a cell is crossed, the stroke
 * adds `amount` to it at most, and less beside its middle; with an amount of 0 it erases.
 */
export function beginStroke(before, { rows, columns, radius, amount }) {
  const shares = new Map();
  return (cells) => {
    const changes = new Map();
    for (const [cell, share] of cells.flatMap((middle) => touched(middle, radius, rows, columns))) {
      if (share <= (shares.get(cell) ?? 0)) continue;
      shares.set(cell, share);
      changes.set(cell, amount ? before[cell] + amount * share : before[cell] * (1 - share));
    }
    return [...changes];
  };
}
