/** The same as tables: the input, and what each neuron adds up to and makes of it. */

import { element } from "../elements.js";
import { bySize } from "./contributions.js";
import { decimal, signed } from "./numbers.js";
import { fillTable } from "./table.js";

const MAX_ROWS = 1000;
const PLACE = { className: "scroll", tabIndex: 0, role: "region" };

/** Make tables in an element; `onChoose` is told {layer, neuron}. Returns show(scene). */
export function createTables(root, onChoose) {
  root.addEventListener("click", ({ target }) => {
    if (target.dataset.press) onChoose(JSON.parse(target.dataset.press));
  });

  return function show(scene) {
    while (root.children.length > scene.sizes.length) root.lastChild.remove();
    for (const layer of scene.sizes.keys()) {
      if (!root.children[layer]) root.append(element("div", PLACE, element("table", { className: "numbers" })));
      const place = root.children[layer];
      const content = layer ? neuronRows(layer, scene) : inputRows(scene);
      place.ariaLabel = content.caption;
      fillTable(place.firstChild, content);
    }
  };
}

function inputRows({ sizes, shape, activations, neuronName }) {
  const numbers = Array.from(activations?.[0] ?? []);
  const caption = `Input: ${sizes[0].toLocaleString("en")} ${shape ? "pixels" : "numbers"}`;
  if (!shape) {
    const rows = numbers.slice(0, MAX_ROWS).map((number, k) => [neuronName(0, k), decimal(number, 4)]);
    return { caption, heads: ["Input", "Value"], rows };
  }
  const [rows, columns] = shape;
  const texts = numbers.map((number) => (number ? decimal(number) : "0"));
  return {
    caption: `${caption}, ${rows} rows of ${columns}`,
    heads: ["Row", ...Array.from({ length: columns }, (_, k) => String(k + 1))],
    rows: Array.from({ length: rows }, (_, row) => [String(row + 1), ...texts.slice(row * columns).slice(0, columns)]),
  };
}

function neuronRows(layer, { sizes, network, activations, label, layerName, neuronName }) {
  const own = network?.layers[layer - 1];
  const values = activations?.[layer] ?? [];
  const sums = activations && own?.sums(activations[layer - 1]);
  const shown = bySize(values, MAX_ROWS).sort((a, b) => a - b);
  const isBest = (neuron) => layer === sizes.length - 1 && neuron === label;
  const part = shown.length < values.length ? `, the ${shown.length} largest` : "";
  const squish = own ? `, ${own.activation}` : "";
  return {
    caption: `${layerName(layer)}: ${sizes[layer].toLocaleString("en")} neurons${part}${squish}`,
    heads: ["Neuron", ...(sums ? ["Sum"] : []), "Activation"],
    rows: shown.map((neuron) => [
      { text: neuronName(layer, neuron), press: JSON.stringify({ layer, neuron }) },
      ...(sums ? [signed(sums[neuron], 4)] : []),
      `${isBest(neuron) ? "brightest " : ""}${decimal(values[neuron], 4)}`,
    ]),
  };
}
