/** The picture of a network and one image in it: grids, circles, and the lines between them. */

import { element } from "../elements.js";
import { createWeightsGrid } from "../inspect/weights.js";
import { bySize, largestSize, strongest } from "./contributions.js";
import { layOut, place, placeOf } from "./layout.js";
import { paintLines } from "./lines.js";
import { createNeurons } from "./neurons.js";
import { light, reach } from "./steps.js";

const MAX_LINES = 420;
/** How much is seen of the other lines while a neuron is pointed at, or chosen. */
const [POINTED_FAINT, SELECTED_FAINT] = [0.12, 0.4];
const BOUNDED = ["sigmoid", "softmax", "tanh"];

/** Make the picture of a scene in an element; returns update(scene, time, pointed) for others of the same sizes. */
export function createPicture(stage, scene, { onPoint, onChoose }) {
  const { sizes, shape, layerName } = scene;
  const { isAcross, height, diameter, layers } = layOut(stage.clientWidth, scene);
  const grids = layers.map((layer, index) => layer.isGrid && createGrid(layer, index));
  const canvas = element("canvas", { className: "lines", ariaHidden: true });
  const captions = layers.map(({ caption }) => place(element("p", { className: "caption" }), caption));
  place(stage, { height });
  const { width, columns } = layers.at(-1);
  stage.style.setProperty("--diameter", `${diameter}px`);
  stage.style.setProperty("--pitch", `${width / columns}px`);
  stage.classList.toggle("across", isAcross);
  stage.replaceChildren(...grids.filter(Boolean).map((grid) => grid.canvas), canvas);
  const updateNeurons = createNeurons(stage, layers);
  stage.append(...captions);

  function createGrid({ left, top, width, height, ...cells }, layer) {
    const grid = createWeightsGrid({
      ...cells,
      cell: Math.round((width / cells.columns) * Math.min(2, devicePixelRatio)),
      label: `${layerName(layer)}: arrow keys lead from one cell to another`,
      isPlain: true,
      onPoint: (neuron) => onPoint(neuron < 0 ? null : { layer, neuron }),
      onChoose: (neuron) => layer && onChoose({ layer, neuron }),
    });
    place(grid.canvas, { left, top, width, height });
    return grid;
  }

  function captionOf(layer, { network }, scale) {
    const [size, { count }] = [sizes[layer], layers[layer]];
    const noun = layer ? "neurons" : shape ? "pixels" : "inputs";
    const words = [
      count < size ? `${count} brightest of ${size.toLocaleString("en")}` : `${size.toLocaleString("en")} ${noun}`,
      network?.layers[layer - 1]?.activation,
      scale !== 1 && `white is ${scale.toPrecision(2)}`,
    ];
    return words.filter(Boolean).join(" \u00b7 ");
  }

  function paint({ network, activations, selected }, time, pointed, shown) {
    const ratio = Math.min(2, devicePixelRatio);
    [canvas.width, canvas.height] = [stage.clientWidth * ratio, height * ratio];
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    if (!network || !activations) return;
    const focus = pointed ?? selected;
    const opacity = !focus ? 1 : pointed ? POINTED_FAINT : SELECTED_FAINT;
    for (const [before, layer] of network.layers.entries()) {
      const after = before + 1;
      const to = shown[after];
      const paintThose = (which, opacity, full) => {
        const found = strongest(layer, activations[before], { to, limit: MAX_LINES, ...which });
        full ??= largestSize(found.map(({ value }) => value));
        const lines = found.map((line) => ({
          from: placeOf(layers[before], line.from),
          to: placeOf(layers[after], to.indexOf(line.to)),
          strength: line.value / full,
        }));
        paintLines(context, lines, reach(time, after), opacity);
      };
      // All beside the largest weight at full brightness; those of the one in focus beside their strongest.
      paintThose({}, opacity, largestSize(layer.weights) * Math.max(before ? 0 : 1, largestSize(activations[before])));
      if (focus?.layer === after && to.includes(focus.neuron)) paintThose({ to: [focus.neuron] }, 1);
      if (focus?.layer === before) paintThose({ from: [focus.neuron] }, 1);
    }
  }

  return function update(scene, time, pointed) {
    const { activations, selected } = scene;
    // The neurons that a layer's circles or cells stand for.
    const shown = layers.map(({ count }, layer) =>
      activations && count < sizes[layer] ? bySize(activations[layer], count) : [...Array(count).keys()],
    );
    const scales = layers.map((_, layer) => scaleOf(layer, scene));
    const lights = layers.map((_, layer) => light(time, layer));
    for (const [layer, grid] of grids.entries()) {
      captions[layer].textContent = captionOf(layer, scene, scales[layer]);
      if (!grid) continue;
      grid.canvas.style.opacity = lights[layer];
      grid.draw(activations?.[layer] ?? [], scales[layer]);
      if (!pointed) grid.point(selected?.layer === layer ? selected.neuron : -1);
    }
    updateNeurons(scene, { shown, scales, lights });
    paint(scene, time, pointed, shown);
  };
}

/** The activation that is fully bright: 1 where none can be larger. */
function scaleOf(layer, { network, activations, shape }) {
  const activation = network?.layers[layer - 1]?.activation;
  if (!activations || (layer ? BOUNDED.includes(activation) : shape)) return 1;
  const largest = largestSize(activations[layer]);
  return activation ? largest || 1 : Math.max(1, largest);
}
