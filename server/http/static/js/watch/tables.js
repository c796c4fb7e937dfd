/** The same as tables: the input, and what each neuron adds up to and makes of it. */

import { element } from "../elements.js";
import { bySize } from "./contributions.js";
import { decimal, signed } from "./numbers.js";
import { fillTable, link } from "./table.js";

const MAX_ROWS = 1000;

/** Fill an element with the tables of a scene; `onChoose` is told {layer, neuron}. */
export function showTables(root, scene, onChoose) {
  while (root.children.length > scene.sizes.length) root.lastChild.remove();
  for (const layer of scene.sizes.keys()) {
    if (!root.children[layer]) root.append(createPlace((neuron) => onChoose({ layer, neuron })));
    const place = root.children[layer];
    const content = layer ? neuronRows(layer, scene) : inputRows(scene);
    place.ariaLabel = content.caption;
    fillTable(place.firstChild, content);
  }
}

function createPlace(onPress) {
  const onclick = ({ target }) => target.value && onPress(Number(target.value));
  const table = element("table", { className: "numbers" });
  return element("div", { className: "scroll", tabIndex: 0, role: "region", onclick }, table);
}

function inputRows({ sizes, shape, activations, neuronName }) {
  const texts = Array.from(activations?.[0] ?? [], (number) => (number ? decimal(number, shape ? 2 : 4) : "0"));
  const caption = `Input: ${sizes[0].toLocaleString("en")}`;
  if (!shape) {
    const rows = texts.slice(0, MAX_ROWS).map((text, k) => [neuronName(0, k), text]);
    return { caption: `${caption} numbers`, heads: ["Input", "Value"], rows };
  }
  const [rows, columns] = shape;
  const counted = (count) => Array.from({ length: count }, (_, k) => k + 1);
  return {
    caption: `${caption} pixels, ${rows} rows of ${columns}`,
    heads: ["Row", ...counted(columns)],
    rows: counted(rows).map((row) => [row, ...texts.slice((row - 1) * columns, row * columns)]),
  };
}

function neuronRows(layer, { sizes, network, activations, label, layerName, neuronName }) {
  const own = network?.layers[layer - 1];
  const values = activations?.[layer] ?? [];
  const sums = activations && own?.sums(activations[layer - 1]);
  const shown = bySize(values, MAX_ROWS).sort((a, b) => a - b);
  const best = layer === sizes.length - 1 ? label : -1;
  const part = shown.length < values.length ? `, the ${shown.length} largest` : "";
  const squish = own ? `, ${own.activation}` : "";
  return {
    caption: `${layerName(layer)}: ${sizes[layer].toLocaleString("en")} neurons${part}${squish}`,
    heads: ["Neuron", ...(sums ? ["Sum"] : []), "Activation"],
    rows: shown.map((neuron) => [
      link(neuronName(layer, neuron), neuron),
      ...(sums ? [signed(sums[neuron])] : []),
      `${neuron === best ? "brightest " : ""}${decimal(values[neuron])}`,
    ]),
  };
}
