/** Thicker and thinner ink: the largest, or smallest, of the points within a radius. */

/** Ink of width x height points, thickened by a radius in points; a negative one thins it. */
export function thicken(ink, width, height, radius) {
  if (radius >= 0) return dilate(ink, width, height, radius);
  const paper = dilate(ink.map((x) => 1 - x), width, height, -radius);
  return paper.map((x) => 1 - x);
}

function dilate(ink, width, height, radius) {
  const reach = Math.floor(radius);
  const spans = maximaOfSpans(ink, width, 2 * reach + 1);
  const levels = Uint8Array.from({ length: 2 * reach + 2 }, (_, length) => Math.log2(length));
  const thick = new Float32Array(ink.length);
  for (let dy = -reach; dy <= reach; dy += 1) {
    const half = Math.floor(Math.sqrt(radius * radius - dy * dy));
    for (let y = Math.max(0, -dy); y < Math.min(height, height - dy); y += 1) {
      const row = (y + dy) * width;
      for (let x = 0; x < width; x += 1) {
        const [left, end] = [Math.max(0, x - half), Math.min(width, x + half + 1)];
        // Two spans that overlap have all points between.
        const level = levels[end - left];
        const span = spans[level];
        const largest = Math.max(span[row + left], span[row + end - (1 << level)]);
        if (largest > thick[y * width + x]) thick[y * width + x] = largest;
      }
    }
  }
  return thick;
}

/** For 1, 2, 4 ... `longest`: at each point the largest of so many from there to the right in its row. */
function maximaOfSpans(ink, width, longest) {
  const spans = [ink];
  for (let length = 1; 2 * length <= longest; length *= 2) {
    const shorter = spans.at(-1);
    spans.push(shorter.map((x, at) => ((at % width) + length < width ? Math.max(x, shorter[at + length]) : x)));
  }
  return spans;
}
