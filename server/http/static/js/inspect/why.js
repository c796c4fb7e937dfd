/** Why one output and not another: the difference of their sums, neuron by neuron. */

import { byId, setOptions } from "../elements.js";
import { brightest } from "../network.js";
import { decimal, signed } from "../watch/numbers.js";
import { link } from "../watch/table.js";
import { fillTerms, productsOf } from "./terms.js";

const MAX_ROWS = 20;
const DIGITS = 3;

/** Make the part that compares two outputs; `select` is told a neuron that is pressed. Returns show(scene). */
export function createWhy(select) {
  const { why, whyWinner, whyLoser, whyTerms, question, verdict } = byId;
  let chosen = {};
  let scene = null;

  function show(shown) {
    if (String(scene?.labelNames) !== String(shown.labelNames)) chosen = {};
    scene = shown;
    const { network, activations, labelNames, neuronName, sizes } = scene;
    why.hidden = labelNames.length < 2;
    if (why.hidden) return;
    const [layer, before, last] = [network.layers.at(-1), activations.at(-2), sizes.length - 2];
    const sums = layer.sums(before);
    // What is read, and what comes next, unless others have been chosen.
    const winner = chosen.winner ?? brightest(sums);
    const loser = chosen.loser ?? brightest(sums.map((sum, k) => (k === winner ? -Infinity : sum)));
    const options = labelNames.map((text, value) => ({ text, value }));
    setOptions(whyWinner, options, winner);
    setOptions(whyLoser, options, loser);
    const [a, b] = [labelNames[winner], labelNames[loser]];
    const against = productsOf(layer, loser, before);
    const [, ahead] = fillTerms(whyTerms, {
      caption: `What speaks for ${a} rather than ${b}: the difference of the weights, times the activation`,
      heads: ["From", "Activation", `Weight to ${a}`, `Weight to ${b}`, "Difference"],
      terms: productsOf(layer, winner, before).map((product, k) => product - against[k]),
      limit: MAX_ROWS,
      isRanked: true,
      cellsOf: (k) => [
        last ? link(neuronName(last, k), k) : neuronName(0, k),
        decimal(before[k], DIGITS),
        ...[winner, loser].map((output) => signed(layer.row(output)[k], DIGITS)),
      ],
      bias: layer.biases[winner] - layer.biases[loser],
      names: ["Biases", `Sum of ${a} minus sum of ${b}`],
      digits: DIGITS,
    });
    question.textContent = `Why ${a} and not ${b}?`;
    verdict.textContent =
      `The sum of ${a} is ${decimal(sums[winner], DIGITS)}, that of ${b} ${decimal(sums[loser], DIGITS)}: ` +
      `${ahead < 0 ? b : a} is ahead by ${decimal(Math.abs(ahead), DIGITS)}.`;
  }

  whyWinner.onchange = whyLoser.onchange = ({ target }) => {
    chosen[target === whyWinner ? "winner" : "loser"] = Number(target.value);
    show(scene);
  };
  whyTerms.onclick = ({ target: { value } }) => value && select(scene.sizes.length - 2, Number(value));
  return show;
}
