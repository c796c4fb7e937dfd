/** The picture of a network and one image in it: grids, circles, and the lines between them. */

import { createWeightsGrid } from "../inspect/weights.js";
import { colours } from "./colours.js";
import { largestFirst, largestSize, largestWeight, strongest } from "./contributions.js";
import { layOut, placeOf } from "./layout.js";
import { paintLines } from "./lines.js";
import { createNeurons } from "./neurons.js";
import { light, reach } from "./steps.js";
import { layerName } from "./words.js";

const MAX_LINES = 420;
/** How much is seen of the other lines while a neuron is pointed at, or chosen. */
const POINTED_FAINT = 0.12;
const SELECTED_FAINT = 0.4;
const BOUNDED = ["sigmoid", "softmax", "tanh"];

/**
 * Make the picture in an empty element. `onPoint` and `onChoose` are told neurons {layer, neuron},
 * and `onPoint` also inputs {layer: -1, neuron}. Returns {update(scene)}; a scene is
 * {sizes, shape, network, activations, labelNames, label, selection, pointed, state}, where
 * `activations` begin with the input's and are null while there are none.
 */
export function createPicture(stage, { sizes, shape, labelNames }, { onPoint, onChoose }) {
  const labelLength = labelNames.reduce((most, name) => Math.max(most, name.length), 0);
  const layout = layOut({ width: stage.clientWidth, sizes, shape, labelLength });
  stage.replaceChildren();
  stage.style.height = `${layout.height}px`;
  stage.classList.toggle("across", layout.isAcross);
  const grids = layout.layers.map((layer, index) => layer.isGrid && placeGrid(layer, index));
  const canvas = stage.appendChild(document.createElement("canvas"));
  canvas.className = "lines";
  canvas.setAttribute("aria-hidden", "true");
  const neurons = createNeurons(stage, layout, sizes, { onPoint, onChoose });
  const captions = layout.layers.map(({ caption }) => {
    const element = stage.appendChild(document.createElement("p"));
    element.className = "caption";
    element.style.left = `${caption.middle}px`;
    element.style.top = `${caption.top}px`;
    element.style.maxWidth = `${caption.width}px`;
    return element;
  });

  function placeGrid(layer, index) {
    const name = index ? layerName(index - 1, sizes.length - 1) : "Input";
    const grid = createWeightsGrid({
      ...layer,
      label: `${name}: ${layer.count} cells, arrow keys move from one to another`,
      isPlain: true,
      onPoint: (neuron) => onPoint(neuron < 0 ? null : { layer: index - 1, neuron }),
      onChoose: index ? (neuron) => onChoose({ layer: index - 1, neuron }) : undefined,
    });
    for (const side of ["left", "top", "width", "height"]) grid.canvas.style[side] = `${layer[side]}px`;
    stage.append(grid.canvas);
    return grid;
  }

  /** The neurons that a layer's circles or cells stand for. */
  function shownOf(index, activations) {
    const { count } = layout.layers[index];
    if (count === sizes[index] || !activations) return Array.from({ length: count }, (_, k) => k);
    return largestFirst(activations[index], count);
  }

  function update(scene) {
    const { network, activations, state } = scene;
    const shown = sizes.map((_, index) => shownOf(index, activations));
    const scales = sizes.map((_, index) => scaleOf(index, scene));
    const lights = sizes.map((_, index) => light(state, index));
    for (const [index, grid] of grids.entries()) {
      if (!grid) continue;
      const numbers = activations ? activations[index] : [];
      grid.canvas.style.opacity = lights[index];
      grid.draw(numbers, scales[index]);
      const mark = scene.selection?.layer === index - 1 && index > 0 ? scene.selection.neuron : -1;
      if (!scene.pointed) grid.point(mark);
    }
    const activationNames = network ? network.layers.map((layer) => layer.activation) : [];
    neurons.update({ ...scene, scales, shown, light: lights, activationNames });
    for (const [index, caption] of captions.entries()) caption.textContent = captionOf(index, scene, scales);
    paint(scene, shown);
  }

  function captionOf(index, { network }, scales) {
    const size = sizes[index].toLocaleString("en");
    if (index === 0) return `${size} ${shape ? "pixels" : "inputs"}`;
    const shown = layout.layers[index].count;
    const words = shown < sizes[index] ? `${shown} brightest of ${size}` : `${size} neurons`;
    const bright = scales[index] === 1 ? "" : ` \u00b7 white is ${scales[index].toPrecision(2)}`;
    return `${words}${network ? ` \u00b7 ${network.layers[index - 1].activation}` : ""}${bright}`;
  }

  function paint(scene, shown) {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const [width, height] = [stage.clientWidth, layout.height];
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const { network, activations, state } = scene;
    if (!network || !activations) return;
    const focus = scene.pointed ?? scene.selection;
    for (const [index, layer] of network.layers.entries()) {
      const progress = reach(state, index + 1);
      if (!progress) continue;
      const before = activations[index];
      const scale = largestWeight(layer) * Math.max(index ? 0 : 1, largestSize(before)) || 1;
      const paintThose = (which, opacity, strongestOf) => {
        const found = strongest(layer, before, which);
        const full = strongestOf ? found.reduce((most, { value }) => Math.max(most, Math.abs(value)), 0) : scale;
        const lines = found.map(({ from, to, value }) => ({
          from: placeOf(layout.layers[index], from),
          to: placeOf(layout.layers[index + 1], shown[index + 1].indexOf(to)),
          strength: value / full,
        }));
        paintLines(context, lines, colours(), { progress, opacity });
      };
      const faint = scene.pointed ? POINTED_FAINT : SELECTED_FAINT;
      paintThose({ to: shown[index + 1], limit: MAX_LINES }, focus ? faint : 1, false);
      if (focus?.layer === index && shown[index + 1].includes(focus.neuron)) {
        paintThose({ to: [focus.neuron], limit: 2 * MAX_LINES }, 1, true);
      }
      if (focus?.layer === index - 1) paintThose({ to: shown[index + 1], from: [focus.neuron], limit: MAX_LINES }, 1, true);
    }
  }

  return { update };
}

/** The size of an activation that is fully bright: 1 where none is larger. */
function scaleOf(index, { network, activations, shape }) {
  const isBounded = network && (index ? BOUNDED.includes(network.layers[index - 1].activation) : shape);
  const largest = activations && !isBounded ? largestSize(activations[index]) : 1;
  return !isBounded && largest > 1 ? largest : network && index && !isBounded ? largest || 1 : 1;
}
