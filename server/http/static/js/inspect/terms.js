/** Weighted sums, term by term. */

/** The products that a neuron adds up, one for each neuron or pixel before it. */
export function productsOf(layer, neuron, before) {
  return Float64Array.from(layer.row(neuron), (weight, k) => weight * before[k]);
}

/** The weighted sum of a neuron, without its bias. */
export function weightedSum(layer, neuron, before) {
  return productsOf(layer, neuron, before).reduce((sum, product) => sum + product, 0);
}

/** The indices of the numbers from the largest size to the smallest, `limit` of them at most. */
export function bySize(numbers, limit = Infinity) {
  const indices = Array.from(numbers, (_, k) => k).sort((a, b) => Math.abs(numbers[b]) - Math.abs(numbers[a]));
  return indices.slice(0, Math.min(limit, indices.length));
}

/**
 * Round numbers to so many decimals in such a way that they add up to their rounded sum: each is
 * rounded down, and those that lose most by it up. Returns {parts, total}.
 */
export function roundTogether(numbers, decimals) {
  const unit = 10 ** decimals;
  const exact = Array.from(numbers, (number) => number * unit);
  const total = Math.round(exact.reduce((sum, number) => sum + number, 0));
  const floors = exact.map(Math.floor);
  const missing = total - floors.reduce((sum, number) => sum + number, 0);
  const order = exact.map((_, k) => k).sort((a, b) => exact[b] - floors[b] - (exact[a] - floors[a]));
  for (const k of order.slice(0, missing)) floors[k] += 1;
  return { parts: floors.map((number) => number / unit), total: total / unit };
}
