/** The picture of a network and one image in it: grids, circles, and the lines between them. */

import { element } from "../elements.js";
import { createWeightsGrid } from "../inspect/weights.js";
import { bySize, largestSize, strongest } from "./contributions.js";
import { layOut, placeOf } from "./layout.js";
import { paintLines } from "./lines.js";
import { createNeurons } from "./neurons.js";
import { light, reach } from "./steps.js";

const MAX_LINES = 420;
/** How much is seen of the other lines while a neuron is pointed at, or chosen. */
const [POINTED_FAINT, SELECTED_FAINT] = [0.12, 0.4];
const BOUNDED = ["sigmoid", "softmax", "tanh"];

/**
 * Make the picture of a scene in an element; its grids call `onPoint` and `onChoose` with {layer, neuron} or null.
 * Returns update(scene, state, pointed), for others of the same sizes.
 */
export function createPicture(stage, { sizes, shape, labelNames, layerName }, { onPoint, onChoose }) {
  const labelLength = Math.max(...labelNames.map((name) => name.length));
  const { layers, ...layout } = layOut({ width: stage.clientWidth, sizes, shape, labelLength });
  stage.replaceChildren();
  stage.style.height = `${layout.height}px`;
  stage.classList.toggle("across", layout.isAcross);
  const grids = layers.map((layer, index) => layer.isGrid && placeGrid(layer, index));
  const canvas = element("canvas", { className: "lines", ariaHidden: true });
  stage.append(canvas);
  const updateNeurons = createNeurons(stage, { layers, ...layout });
  const captions = layers.map(({ caption: [middle, top, width] }) => {
    const caption = element("p", { className: "caption" });
    Object.assign(caption.style, { left: `${middle}px`, top: `${top}px`, maxWidth: `${width}px` });
    stage.append(caption);
    return caption;
  });

  function placeGrid(box, layer) {
    const grid = createWeightsGrid({
      ...box,
      cell: Math.round((box.width / box.columns) * Math.min(2, devicePixelRatio)),
      label: `${layerName(layer)}: arrow keys lead from one cell to another`,
      isPlain: true,
      onPoint: (neuron) => onPoint(neuron < 0 ? null : { layer, neuron }),
      onChoose: layer ? (neuron) => onChoose({ layer, neuron }) : undefined,
    });
    for (const side of ["left", "top", "width", "height"]) grid.canvas.style[side] = `${box[side]}px`;
    stage.append(grid.canvas);
    return grid;
  }

  /** The neurons that a layer's circles or cells stand for. */
  function shownOf(layer, activations) {
    const { count } = layers[layer];
    if (count < sizes[layer] && activations) return bySize(activations[layer], count);
    return Array.from({ length: count }, (_, k) => k);
  }

  function captionOf(layer, { network }, scale) {
    const size = sizes[layer].toLocaleString("en");
    const { count } = layers[layer];
    const noun = layer ? "neurons" : shape ? "pixels" : "inputs";
    return [
      count < sizes[layer] ? `${count} brightest of ${size}` : `${size} ${noun}`,
      ...(network && layer ? [network.layers[layer - 1].activation] : []),
      ...(scale === 1 ? [] : [`white is ${scale.toPrecision(2)}`]),
    ].join(" \u00b7 ");
  }

  function paint({ network, activations, selected }, state, pointed, shown) {
    const ratio = Math.min(2, devicePixelRatio);
    [canvas.width, canvas.height] = [stage.clientWidth * ratio, layout.height * ratio];
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    if (!network || !activations) return;
    const focus = pointed ?? selected;
    for (const [before, layer] of network.layers.entries()) {
      const [after, to] = [before + 1, shown[before + 1]];
      // Compared with the largest weight at full brightness, or what is pointed at with its strongest line.
      const scale = largestSize(layer.weights) * Math.max(before ? 0 : 1, largestSize(activations[before]));
      const paintThose = (which, opacity, isScaled) => {
        const found = strongest(layer, activations[before], { limit: MAX_LINES, ...which });
        const full = (isScaled ? largestSize(found.map(({ value }) => value)) : scale) || 1;
        const lines = found.map((line) => ({
          from: placeOf(layers[before], line.from),
          to: placeOf(layers[after], to.indexOf(line.to)),
          strength: line.value / full,
        }));
        paintLines(context, lines, reach(state, after), opacity);
      };
      if (!reach(state, after)) continue;
      paintThose({ to }, !focus ? 1 : pointed ? POINTED_FAINT : SELECTED_FAINT, false);
      if (focus?.layer === after && to.includes(focus.neuron)) paintThose({ to: [focus.neuron] }, 1, true);
      if (focus?.layer === before) paintThose({ to, from: [focus.neuron] }, 1, true);
    }
  }

  return function update(scene, state, pointed) {
    const { activations, selected } = scene;
    const shown = sizes.map((_, layer) => shownOf(layer, activations));
    const scales = sizes.map((_, layer) => scaleOf(layer, scene));
    const lights = sizes.map((_, layer) => light(state, layer));
    for (const [layer, grid] of grids.entries()) {
      captions[layer].textContent = captionOf(layer, scene, scales[layer]);
      if (!grid) continue;
      grid.canvas.style.opacity = lights[layer];
      grid.draw(activations?.[layer] ?? [], scales[layer]);
      if (!pointed) grid.point(selected?.layer === layer ? selected.neuron : -1);
    }
    updateNeurons(scene, { shown, scales, lights });
    paint(scene, state, pointed, shown);
  };
}

/** The activation that is fully bright: 1 where none can be larger. */
function scaleOf(layer, { network, activations, shape }) {
  const activation = network?.layers[layer - 1]?.activation;
  if (!activations || (layer ? BOUNDED.includes(activation) : shape)) return 1;
  const largest = largestSize(activations[layer]);
  return activation ? largest || 1 : Math.max(1, largest);
}
