/** Weighted sums, term by term, and tables of them. */

import { element } from "../elements.js";
import { bySize, largestSize } from "../watch/contributions.js";
import { signed } from "../watch/numbers.js";
import { fillTable } from "../watch/table.js";

const sumOf = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

/** The products that a neuron adds up, one for each neuron or pixel before it. */
export function productsOf(layer, neuron, before) {
  return Float64Array.from(layer.row(neuron), (weight, k) => weight * before[k]);
}

/** Round numbers so that they add up to their rounded sum: those that lose most by rounding down are rounded up. */
export function roundTogether(numbers, digits = 4) {
  const unit = 10 ** digits;
  const exact = numbers.map((number) => number * unit);
  const total = Math.round(sumOf(exact));
  const parts = exact.map(Math.floor);
  const missing = total - sumOf(parts);
  const loss = (k) => exact[k] - parts[k];
  const order = [...exact.keys()].sort((a, b) => loss(b) - loss(a));
  for (const k of order.slice(0, missing)) parts[k] += 1;
  return { parts: parts.map((part) => part / unit), total: total / unit };
}

/** Fill a table with the largest terms, what the others come to, bias and sum; returns these two as shown. */
export function fillTerms(table, { caption, heads, terms, limit, isRanked, cellsOf, bias, names, digits = 4 }) {
  const largest = bySize(terms, limit);
  if (isRanked) largest.sort((a, b) => terms[b] - terms[a]);
  const shown = largest.map((k) => terms[k]);
  const others = terms.length - shown.length;
  const rest = others ? [sumOf(terms) - sumOf(shown)] : [];
  const { parts, total } = roundTogether([...shown, ...rest, bias], digits);
  const most = largestSize(shown) || 1;
  const line = (name, number) => [name, ...heads.slice(2).fill(""), signed(number, digits)];
  fillTable(table, {
    caption,
    heads,
    rows: largest.map((k, row) => [...cellsOf(k), [createBar(terms[k] / most), signed(parts[row], digits)]]),
    foot: [
      ...rest.map(() => line(`The other ${others}`, parts.at(-2))),
      line(names[0], parts.at(-1)),
      line(names[1], total),
    ],
  });
  return [parts.at(-1), total];
}

function createBar(share) {
  const bar = element("i", { className: share < 0 ? "negative" : "positive" });
  bar.style.width = `${50 * Math.abs(share)}%`;
  return element("span", { className: "share" }, bar);
}
