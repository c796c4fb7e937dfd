/** The same as tables: the pixels, and what each neuron adds up to and makes of it. */

import { bySize } from "../inspect/terms.js";
import { decimal, signed } from "./numbers.js";
import { fillTable } from "./table.js";
import { layerName, neuronName } from "./words.js";

const MOST_ROWS = 1000;

/** Show a scene, as `createPicture` has it, in the tables below an element; `onChoose` is told neurons. */
export function createTables(root, onChoose) {
  root.addEventListener("click", ({ target }) => {
    if (target.dataset.press) onChoose(JSON.parse(target.dataset.press));
  });

  return function show(scene) {
    while (root.children.length > scene.sizes.length) root.lastChild.remove();
    while (root.children.length < scene.sizes.length) {
      const place = root.appendChild(document.createElement("div"));
      place.className = "scroll";
      place.tabIndex = 0;
      place.setAttribute("role", "region");
      place.appendChild(document.createElement("table")).className = "numbers";
    }
    for (const [index, place] of [...root.children].entries()) {
      const content = index ? neuronRows(index, scene) : inputRows(scene);
      place.setAttribute("aria-label", content.caption);
      fillTable(place.firstChild, content);
    }
  };
}

function inputRows({ sizes, shape, activations }) {
  const numbers = activations?.[0] ?? [];
  const text = (k) => (numbers[k] ? decimal(numbers[k], 2) : "0");
  const count = sizes[0].toLocaleString("en");
  if (!shape) {
    const rows = Array.from(numbers, (number, k) => [`input ${k + 1}`, decimal(number, 4)]);
    return { caption: `Input: ${count} numbers`, heads: ["Input", "Value"], rows: rows.slice(0, MOST_ROWS) };
  }
  const [rows, columns] = shape;
  const places = (size) => Array.from({ length: size }, (_, k) => k);
  return {
    caption: `Input: ${count} pixels, ${rows} rows of ${columns}`,
    heads: ["Row", ...places(columns).map((column) => String(column + 1))],
    rows: places(rows).map((row) => [String(row + 1), ...places(columns).map((column) => text(row * columns + column))]),
  };
}

function neuronRows(index, { sizes, network, activations, labelNames, label }) {
  const count = sizes.length - 1;
  const layer = network?.layers[index - 1];
  const isOutput = index === count;
  const values = activations?.[index] ?? [];
  const sums = layer && activations ? layer.sums(activations[index - 1]) : null;
  const shown = bySize(values, MOST_ROWS).sort((a, b) => a - b);
  const part = shown.length < values.length ? `, the ${shown.length} largest` : "";
  return {
    caption: `${layerName(index - 1, count)}: ${sizes[index].toLocaleString("en")} neurons${part}${layer ? `, ${layer.activation}` : ""}`,
    heads: ["Neuron", ...(sums ? ["Sum"] : []), "Activation"],
    rows: shown.map((neuron) => [
      {
        text: neuronName(index - 1, neuron, { count, labelNames }),
        press: JSON.stringify({ layer: index - 1, neuron }),
      },
      ...(sums ? [signed(sums[neuron], 4)] : []),
      `${isOutput && neuron === label ? "brightest " : ""}${decimal(values[neuron], 4)}`,
    ]),
  };
}
