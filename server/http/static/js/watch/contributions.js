/** What flows along the lines: weight times activation, the strongest ones. */

const MAX_PRODUCTS = 60_000;

/** The size of the largest of some numbers. */
export const largestSize = (numbers) => numbers.reduce((size, number) => Math.max(size, Math.abs(number)), 0);

/** The indices of the numbers from the largest size to the smallest, `limit` of them at most. */
export function bySize(numbers, limit = Infinity) {
  return Array.from(numbers.keys())
    .sort((a, b) => Math.abs(numbers[b]) - Math.abs(numbers[a]))
    .slice(0, limit);
}

/** The strongest contributions, but for 0: [{from, to, value}], of very many sources those of the most active. */
export function strongest(layer, before, { to: targets, from: sources, limit }) {
  const found = [];
  for (const from of sources ?? bySize(before, Math.ceil(MAX_PRODUCTS / targets.length))) {
    for (const to of targets) {
      const value = layer.weights[to * layer.inputs + from] * before[from];
      if (value !== 0) found.push({ from, to, value });
    }
  }
  if (found.length <= limit) return found;
  const least = Float64Array.from(found, ({ value }) => Math.abs(value)).sort().at(-limit);
  return found.filter(({ value }) => Math.abs(value) >= least);
}
