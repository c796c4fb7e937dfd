/** A neuron's squish, written out with its numbers. */

import { decimal } from "../watch/numbers.js";

/** "sigmoid(1.20) = 1 / (1 + e^(−1.20)) = 0.7685"; `sums` are those of the whole layer, for softmax. */
export function squishText(activation, z, a, sums) {
  const number = decimal(z);
  // Less the largest sum, which changes nothing: e to the power of a large one would be too large.
  const most = sums.reduce((x, y) => Math.max(x, y));
  const total = sums.reduce((sum, x) => sum + Math.exp(x - most), 0);
  const middle = {
    sigmoid: `1 / (1 + e^(${decimal(-z)})) = `,
    relu: `max(0, ${number}) = `,
    selu: `1.0507 × ${z > 0 ? number : `1.6733 × (e^(${number}) − 1)`} = `,
    softmax: `e^(${decimal(z - most)}) / ${decimal(total)}, the sum of that over all ${sums.length} outputs = `,
  }[activation];
  return `${activation}(${number}) = ${middle ?? ""}${decimal(a)}`;
}
