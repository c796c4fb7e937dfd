/** Where the neurons of a network stand: from left to right, or downwards where that is too narrow. */

import { gridOf } from "../inspect/cells.js";

/** Layers of more neurons are grids of cells; of outputs only the brightest are shown. */
const MAX_CIRCLES = 20;
const SHOWN_OUTPUTS = 10;
const GAP = 56;

/**
 * Return {isAcross, height, diameter, layers}. Each layer, the input first, is a box of rows and columns of
 * circles or cells: {isGrid, rows, columns, count, left, top, width, height, caption: [middle, top, width]}.
 * `shape` is that of the image or null, `labelLength` the letters of the longest label.
 */
export function layOut({ width, sizes, shape, labelLength }) {
  const layers = (ratio) => sizes.map((_, index) => kindOf(sizes, index, shape, ratio));
  return across(layers(0.4), width, labelLength) ?? down(layers(2.5), width);
}

function kindOf(sizes, index, shape, ratio) {
  const count = sizes[index];
  if (!index && shape) return { isGrid: true, rows: shape[0], columns: shape[1], count };
  if (count <= MAX_CIRCLES) return { isGrid: false, rows: count, columns: 1, count };
  if (index === sizes.length - 1) return { isGrid: false, rows: SHOWN_OUTPUTS, columns: 1, count: SHOWN_OUTPUTS };
  const [rows, columns] = gridOf(count, ratio);
  return { isGrid: true, rows, columns, count };
}

/** Cells of whole pixels have even gaps; small ones need all the room there is. */
const whole = (size) => (size > 3 ? Math.floor(size) : size);

function across(layers, width, labelLength) {
  const most = Math.max(10, ...layers.map(({ isGrid, rows }) => (isGrid ? 0 : rows)));
  const pitch = Math.min(48, (width < 760 ? 540 : 600) / most);
  const diameter = Math.min(40, Math.round(pitch - 4));
  const body = Math.max(430, ...layers.map(({ isGrid, rows }) => (isGrid ? 0 : rows * pitch)));
  const sides = 16 + Math.min(130, 24 + 8 * labelLength);
  let taken = sides;
  for (const [index, layer] of layers.entries()) {
    const [room, largest] = index ? [150, 22] : [Math.min(300, width * 0.38), 16];
    const cell = whole(Math.min(room / layer.columns, body / layer.rows, largest));
    layer.width = layer.isGrid ? cell * layer.columns : diameter;
    layer.height = (layer.isGrid ? cell : pitch) * layer.rows;
    taken += layer.width;
  }
  const gap = (width - taken) / (layers.length - 1);
  if (gap < GAP) return null;
  const height = layers.some(({ isGrid }) => isGrid) ? body : most * pitch;
  let left = 8;
  for (const layer of layers) {
    const caption = [left + layer.width / 2, height + 20, Math.max(layer.width, 130)];
    Object.assign(layer, { left: Math.round(left), top: Math.round(8 + (height - layer.height) / 2), caption });
    left += layer.width + gap;
  }
  return { isAcross: true, height: height + 78, diameter, layers };
}

function down(layers, width) {
  const diameter = 32;
  let top = 10;
  for (const [index, layer] of layers.entries()) {
    const isOutput = index === layers.length - 1;
    layer.caption = [width / 2, top, width];
    top += 28;
    let [cell, pitch] = [whole(Math.min((index ? width : Math.min(220, width * 0.7)) / layer.columns, 12))];
    if (!layer.isGrid) {
      layer.rows = Math.ceil(layer.count / Math.floor(width / (isOutput ? 54 : 36)));
      layer.columns = Math.ceil(layer.count / layer.rows);
      [cell, pitch] = [Math.min(90, width / layer.columns), isOutput ? 60 : 38];
    }
    Object.assign(layer, { top, width: cell * layer.columns, height: (pitch ?? cell) * layer.rows });
    layer.left = Math.round((width - layer.width) / 2);
    top += layer.height + GAP;
  }
  return { isAcross: false, height: top - GAP + 12, diameter, layers };
}

/** The middle of a circle or cell: which of those that are shown is `slot`. */
export function placeOf({ left, top, width, height, rows, columns }, slot) {
  const row = Math.floor(slot / columns);
  return [left + ((slot - row * columns + 0.5) * width) / columns, top + ((row + 0.5) * height) / rows];
}
