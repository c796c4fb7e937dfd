/** Thicker and thinner ink: the largest, or smallest, of the points within a radius. */

/** Ink in rows of `width` points, thickened by a radius in points; a negative one thins it. */
export function thicken(ink, width, radius) {
  if (radius >= 0) return dilate(ink, width, radius);
  return dilate(ink.map((x) => 1 - x), width, -radius).map((x) => 1 - x);
}

function dilate(ink, width, radius) {
  const reach = Math.floor(radius);
  const thick = ink.slice();
  ink.forEach((x, at) => {
    const column = at % width;
    const [left, right] = [column > 0 && ink[at - 1] < x, column < width - 1 && ink[at + 1] < x];
    // Whose neighbours are as bright spreads nothing that one of them doesn't.
    if (!left && !right && !(ink[at - width] < x) && !(ink[at + width] < x)) return;
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
