/** Why one output and not another: the difference of their sums, neuron by neuron. */

import { decimal, signed } from "../watch/numbers.js";
import { fillTable } from "../watch/table.js";
import { brightest } from "../network.js";
import { inputName } from "../watch/words.js";
import { bySize, productsOf, roundTogether } from "./terms.js";

const SHOWN = 20;
const DIGITS = 3;

export function start({ store, root }) {
  const find = (name) => root.querySelector(`[data-part=${name}]`);
  const [winners, losers, sentence, table] = ["for", "against", "verdict", "differences"].map(find);
  const title = find("question");
  const chosen = { for: null, against: null };
  let labels = null;
  let shown = null;

  /** Show what is inside a network, as `lookInside` returns it. */
  function render(inside) {
    shown = inside;
    const { network, activations, sums, pixels } = inside;
    const { labelNames } = network;
    root.hidden = labelNames.length < 2;
    if (root.hidden) return;
    if (labelNames.join("\n") !== labels) {
      labels = labelNames.join("\n");
      Object.assign(chosen, { for: null, against: null });
      for (const select of [winners, losers]) select.replaceChildren(...labelNames.map((name, k) => new Option(name, k)));
    }
    const outputs = sums.at(-1);
    const winner = chosen.for ?? brightest(outputs);
    const runnerUp = brightest(outputs.map((sum, k) => (k === winner ? -Infinity : sum)));
    const loser = chosen.against ?? runnerUp;
    winners.value = winner;
    losers.value = loser;
    const layer = network.layers.at(-1);
    const before = activations.at(-2) ?? pixels;
    const names = network.layers.length > 1 ? (k) => `neuron ${k + 1}` : (k) => inputName(k, network.shape);
    compare({ layer, before, winner, loser, names, labelNames, outputs });
  }

  function compare({ layer, before, winner, loser, names, labelNames, outputs }) {
    const [speaks, against] = [winner, loser].map((output) => productsOf(layer, output, before));
    const differences = speaks.map((product, k) => product - against[k]);
    const largest = bySize(differences, SHOWN).sort((a, b) => differences[b] - differences[a]);
    const rows = new Set(largest);
    const others = differences.reduce((total, number, k) => (rows.has(k) ? total : total + number), 0);
    const biases = layer.biases[winner] - layer.biases[loser];
    const { parts, total } = roundTogether([...largest.map((k) => differences[k]), others, biases], DIGITS);
    const most = largest.reduce((size, k) => Math.max(size, Math.abs(differences[k])), 0) || 1;
    const [a, b] = [labelNames[winner], labelNames[loser]];
    const hasOthers = largest.length < differences.length;
    title.textContent = `Why ${a} and not ${b}?`;
    sentence.textContent =
      `The sum of ${a} is ${decimal(outputs[winner], DIGITS)}, that of ${b} ${decimal(outputs[loser], DIGITS)}: ` +
      `${total >= 0 ? `${a} is ahead` : `${b} is ahead`} by ${decimal(Math.abs(total), DIGITS)}.`;
    fillTable(table, {
      caption: `What speaks for ${a} rather than ${b}: the difference of the weights, times the activation`,
      heads: ["From", "Activation", `Weight to ${a}`, `Weight to ${b}`, "Difference"],
      rows: largest.map((k, row) => [
        { text: names(k), press: k },
        decimal(before[k], DIGITS),
        signed(layer.row(winner)[k], DIGITS),
        signed(layer.row(loser)[k], DIGITS),
        { text: signed(parts[row], DIGITS), share: differences[k] / most },
      ]),
      foot: [
        ...(hasOthers ? [[`The other ${differences.length - largest.length}`, "", "", "", signed(parts.at(-2), DIGITS)]] : []),
        ["Biases", "", signed(layer.biases[winner], DIGITS), signed(layer.biases[loser], DIGITS), signed(parts.at(-1), DIGITS)],
        [`Sum of ${a} less sum of ${b}`, "", "", "", signed(total, DIGITS)],
      ],
    });
  }

  winners.addEventListener("change", () => choose({ for: Number(winners.value) }));
  losers.addEventListener("change", () => choose({ against: Number(losers.value) }));
  table.addEventListener("click", ({ target }) => {
    const layer = shown.network.layers.length - 2;
    if (target.dataset.press !== undefined) store.set({ selection: { layer, neuron: Number(target.dataset.press) } });
  });

  function choose(change) {
    Object.assign(chosen, change);
    render(shown);
  }

  return { render };
}
