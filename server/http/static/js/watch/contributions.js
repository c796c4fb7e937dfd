/** What flows along the lines: weight times activation, the strongest ones. */

const MAX_PRODUCTS = 60_000;
const BINS = 256;
const heaviest = new WeakMap();

/** The size of a layer's largest weight. */
export function largestWeight(layer) {
  if (!heaviest.has(layer)) {
    let size = 0;
    for (const weight of layer.weights) size = Math.max(size, Math.abs(weight));
    heaviest.set(layer, size);
  }
  return heaviest.get(layer);
}

/** The size of the largest of some numbers. */
export function largestSize(numbers) {
  let size = 0;
  for (const number of numbers) size = Math.max(size, Math.abs(number));
  return size;
}

/**
 * The strongest contributions to neurons of a layer: [{from, to, value}], about `limit` of them at
 * most, none that is 0. Of very many sources only those with the largest activations are looked at.
 */
export function strongest(layer, before, { to: targets, from: sources, limit }) {
  sources ??= largestFirst(before, Math.max(1, Math.floor(MAX_PRODUCTS / targets.length)));
  const found = [];
  let largest = 0;
  for (const to of targets) {
    for (const from of sources) {
      const value = layer.weights[to * layer.inputs + from] * before[from];
      if (value === 0) continue;
      found.push({ from, to, value });
      largest = Math.max(largest, Math.abs(value));
    }
  }
  return found.length <= limit ? found : above(found, largest, limit);
}

/** The indices of numbers that are not 0; the largest ones if those are more than `limit`. */
export function largestFirst(numbers, limit) {
  const indices = [];
  for (let k = 0; k < numbers.length; k += 1) if (numbers[k] !== 0) indices.push(k);
  if (indices.length <= limit) return indices;
  return indices.sort((a, b) => Math.abs(numbers[b]) - Math.abs(numbers[a])).slice(0, limit);
}

function above(found, largest, limit) {
  const counts = new Uint32Array(BINS + 1);
  const bin = (value) => Math.floor((Math.abs(value) / largest) * BINS);
  for (const { value } of found) counts[bin(value)] += 1;
  let [least, sum] = [BINS, counts[BINS]];
  while (least > 1 && sum + counts[least - 1] <= limit) sum += counts[(least -= 1)];
  return found.filter(({ value }) => bin(value) >= least);
}
