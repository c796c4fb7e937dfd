/** Where the neurons of a network stand: from left to right, or downwards where that is too narrow. */

import { gridOf } from "../inspect/cells.js";

/** Layers of more neurons are grids of cells; of outputs only the brightest are shown. */
const MAX_CIRCLES = 20;
const SHOWN_OUTPUTS = 10;
const GAP = 56;

/** Return {isAcross, height, diameter, layers} of a scene: each layer is a box of rows and columns. */
export function layOut(width, { sizes, shape, labelNames }) {
  const layers = (ratio) => sizes.map((_, index) => kindOf(sizes, index, shape, ratio));
  return across(layers(0.4), width, labelNames) ?? down(layers(2.5), width);
}

function kindOf(sizes, index, shape, ratio) {
  const isMany = sizes[index] > MAX_CIRCLES;
  const isOutput = index === sizes.length - 1;
  const isGrid = !isOutput && (isMany || (!index && shape !== null));
  const count = isOutput && isMany ? SHOWN_OUTPUTS : sizes[index];
  const [rows, columns] = !isGrid ? [count, 1] : (!index && shape) || gridOf(count, ratio);
  return { isGrid, rows, columns, count };
}

/** Cells of whole pixels have even gaps; small ones need all the room there is. */
const whole = (size) => (size > 3 ? Math.floor(size) : size);

function across(layers, width, labelNames) {
  const most = Math.max(10, ...layers.map(({ isGrid, rows }) => (isGrid ? 0 : rows)));
  const pitch = Math.min(48, (width < 760 ? 540 : 600) / most);
  const [height, diameter] = [most * pitch, Math.min(40, Math.round(pitch - 4))];
  let gap = width - 16 - Math.min(130, 24 + 8 * Math.max(...labelNames.map(({ length }) => length)));
  for (const [index, layer] of layers.entries()) {
    const { isGrid, rows, columns } = layer;
    const [room, largest] = index ? [150, 22] : [Math.min(300, width * 0.38), 16];
    const cell = whole(Math.min(room / columns, height / rows, largest));
    [layer.width, layer.height] = isGrid ? [cell * columns, cell * rows] : [diameter, pitch * rows];
    gap -= layer.width;
  }
  gap /= layers.length - 1;
  if (gap < GAP) return null;
  let left = 8;
  for (const layer of layers) {
    layer.caption = { left: left + layer.width / 2, top: height + 20, maxWidth: Math.max(layer.width, 130) };
    Object.assign(layer, { left: Math.round(left), top: Math.round(8 + (height - layer.height) / 2) });
    left += layer.width + gap;
  }
  return { isAcross: true, height: height + 78, diameter, layers };
}

function down(layers, width) {
  let top = 10;
  for (const [index, layer] of layers.entries()) {
    const isOutput = index === layers.length - 1;
    layer.caption = { left: width / 2, top, maxWidth: width };
    const room = index ? width : Math.min(220, width * 0.7);
    let [across, along] = Array(2).fill(whole(Math.min(room / layer.columns, 12)));
    if (!layer.isGrid) {
      layer.rows = Math.ceil(layer.count / Math.floor(width / (isOutput ? 54 : 36)));
      layer.columns = Math.ceil(layer.count / layer.rows);
      [across, along] = [Math.min(90, width / layer.columns), isOutput ? 60 : 38];
    }
    Object.assign(layer, { top: top + 28, width: across * layer.columns, height: along * layer.rows });
    layer.left = Math.round((width - layer.width) / 2);
    top = layer.top + layer.height + GAP;
  }
  return { isAcross: false, height: top - GAP + 12, diameter: 32, layers };
}

/** The middle of a circle or cell: which of those that are shown is `slot`. */
export function placeOf({ left, top, width, height, rows, columns }, slot) {
  const row = Math.floor(slot / columns);
  return [left + ((slot - row * columns + 0.5) * width) / columns, top + ((row + 0.5) * height) / rows];
}

/** Give an element some sides, in pixels. */
export function place(placed, sides) {
  for (const [side, size] of Object.entries(sides)) placed.style[side] = `${size}px`;
  return placed;
}
