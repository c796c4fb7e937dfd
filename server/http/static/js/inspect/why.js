/** Why one output and not another: the difference of their sums, neuron by neuron. */

import { setOptions } from "../elements.js";
import { brightest } from "../network.js";
import { decimal, signed } from "../watch/numbers.js";
import { fillTerms, productsOf } from "./terms.js";

const MAX_ROWS = 20;
const DIGITS = 3;

/** Make the part that compares two outputs; `select` is told a neuron that is pressed. Returns show(scene). */
export function createWhy(root, select) {
  const find = (name) => root.querySelector(`[data-part=${name}]`);
  const [winners, losers, table] = ["for", "against", "differences"].map(find);
  let chosen = {};
  let scene = null;

  function show(shown) {
    if (String(scene?.labelNames) !== String(shown.labelNames)) chosen = {};
    scene = shown;
    const { network, activations, labelNames, neuronName, sizes } = scene;
    root.hidden = labelNames.length < 2;
    if (root.hidden) return;
    const [layer, before, last] = [network.layers.at(-1), activations.at(-2), sizes.length - 1];
    const sums = layer.sums(before);
    // What is read, and what comes next, unless others have been chosen.
    const winner = chosen.winner ?? brightest(sums);
    const loser = chosen.loser ?? brightest(sums.map((sum, k) => (k === winner ? -Infinity : sum)));
    const options = labelNames.map((text, value) => ({ text, value }));
    setOptions(winners, options, winner);
    setOptions(losers, options, loser);
    const [a, b] = [labelNames[winner], labelNames[loser]];
    const against = productsOf(layer, loser, before);
    const [, ahead] = fillTerms(table, {
      caption: () => `What speaks for ${a} rather than ${b}: the difference of the weights, times the activation`,
      heads: ["From", "Activation", `Weight to ${a}`, `Weight to ${b}`, "Difference"],
      terms: productsOf(layer, winner, before).map((product, k) => product - against[k]),
      limit: MAX_ROWS,
      isRanked: true,
      cellsOf: (k) => [
        last > 1 ? { text: neuronName(last - 1, k), press: k } : neuronName(0, k),
        decimal(before[k], DIGITS),
        ...[winner, loser].map((output) => signed(layer.row(output)[k], DIGITS)),
      ],
      bias: layer.biases[winner] - layer.biases[loser],
      names: ["Biases", `Sum of ${a} less sum of ${b}`],
      digits: DIGITS,
    });
    find("question").textContent = `Why ${a} and not ${b}?`;
    find("verdict").textContent =
      `The sum of ${a} is ${decimal(sums[winner], DIGITS)}, that of ${b} ${decimal(sums[loser], DIGITS)}: ` +
      `${ahead < 0 ? b : a} is ahead by ${decimal(Math.abs(ahead), DIGITS)}.`;
  }

  function choose(change) {
    chosen = { ...chosen, ...change };
    show(scene);
  }

  winners.addEventListener("change", () => choose({ winner: Number(winners.value) }));
  losers.addEventListener("change", () => choose({ loser: Number(losers.value) }));
  table.addEventListener("click", ({ target: { dataset } }) => {
    if (dataset.press) select(scene.sizes.length - 2, Number(dataset.press));
  });
  return show;
}
