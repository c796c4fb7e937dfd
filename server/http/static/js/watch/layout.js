/** Where the neurons of a network stand in its picture: from left to right, or downwards where that is too narrow. */

import { gridOf } from "../inspect/cells.js";

/** Layers of more neurons are shown as a grid of cells; of outputs only so many, the brightest, are shown. */
export const MAX_CIRCLES = 20;
const SHOWN_OUTPUTS = 10;
const GAP = 56;
const CAPTION = 58;

/**
 * Return {isAcross, height, diameter, layers}, where each layer, the input first, is
 * {isGrid, rows, columns, count, left, top, width, height, pitch, slots: [[x, y], ...], caption: {middle, top, width}}:
 * the box of its grid or the centres of its circles. `shape` is that of the image or null,
 * `labelLength` the letters of the longest label.
 */
export function layOut({ width, sizes, shape, labelLength }) {
  return layAcross(width, sizes, shape, labelLength) ?? layDown(width, sizes, shape);
}

function kindOf(sizes, index, shape, ratio) {
  const size = sizes[index];
  const isOutput = index === sizes.length - 1;
  if (index === 0 && shape) return { isGrid: true, rows: shape[0], columns: shape[1], count: size };
  if (size <= MAX_CIRCLES) return { isGrid: false, count: size };
  if (isOutput) return { isGrid: false, count: SHOWN_OUTPUTS };
  const [rows, columns] = gridOf(size, ratio);
  return { isGrid: true, rows, columns, count: size };
}

function layAcross(width, sizes, shape, labelLength) {
  const layers = sizes.map((_, index) => kindOf(sizes, index, shape, 0.4));
  const most = Math.max(...layers.map((layer) => (layer.isGrid ? 0 : layer.count)));
  const pitch = Math.min(48, Math.max(27, (width < 760 ? 540 : 600) / Math.max(most, 10)));
  const diameter = Math.min(40, Math.round(pitch - 4));
  const body = Math.max(most * pitch, layers.some((layer) => layer.isGrid) ? 430 : 0);
  const label = Math.min(130, 24 + 8 * labelLength);
  for (const [index, layer] of layers.entries()) {
    const room = index === 0 ? Math.min(300, width * 0.36) : 150;
    const cell = layer.isGrid && Math.min(room / layer.columns, body / layer.rows, index === 0 ? 16 : 22);
    layer.width = layer.isGrid ? cell * layer.columns : diameter;
    layer.height = layer.isGrid ? cell * layer.rows : layer.count * pitch;
    layer.reserved = layer.width + (index === layers.length - 1 ? label : 0);
  }
  const free = width - layers.reduce((sum, layer) => sum + layer.reserved, 0) - 16;
  const gap = free / (layers.length - 1);
  if (gap < GAP) return null;
  let left = 8;
  for (const layer of layers) {
    Object.assign(layer, { left, top: (body - layer.height) / 2 + 8, pitch });
    layer.slots = layer.isGrid
      ? []
      : Array.from({ length: layer.count }, (_, k) => [left + diameter / 2, layer.top + (k + 0.5) * pitch]);
    layer.caption = { middle: left + layer.width / 2, top: body + 20, width: Math.max(layer.width, 130) };
    left += layer.reserved + gap;
  }
  return { isAcross: true, height: body + 20 + CAPTION, diameter, layers };
}

function layDown(width, sizes, shape) {
  const layers = sizes.map((_, index) => kindOf(sizes, index, shape, 2.5));
  const diameter = 32;
  let top = 10;
  for (const [index, layer] of layers.entries()) {
    const isOutput = index === layers.length - 1;
    layer.caption = { middle: width / 2, top, width };
    top += 28;
    if (layer.isGrid) {
      const cell = Math.min((index === 0 ? Math.min(220, width * 0.7) : width) / layer.columns, 12);
      Object.assign(layer, { width: cell * layer.columns, height: cell * layer.rows, slots: [] });
      layer.left = (width - layer.width) / 2;
    } else {
      const rows = Math.ceil(layer.count / Math.max(1, Math.floor(width / (diameter + (isOutput ? 22 : 4)))));
      const perRow = Math.ceil(layer.count / rows);
      const [across, pitch] = [Math.min(90, width / perRow), diameter + (isOutput ? 26 : 6)];
      const left = (width - across * perRow) / 2;
      Object.assign(layer, { width: across * perRow, height: rows * pitch, left, pitch: across });
      layer.slots = Array.from({ length: layer.count }, (_, k) => [
        left + ((k % perRow) + 0.5) * across,
        top + Math.floor(k / perRow) * pitch + diameter / 2,
      ]);
    }
    layer.top = top;
    top += layer.height + (isOutput ? 4 : GAP);
  }
  return { isAcross: false, height: top + 8, diameter, layers };
}

/** The place of a neuron's circle or cell; `slot` is which of the shown ones it is. */
export function placeOf(layer, slot) {
  if (!layer.isGrid) return layer.slots[slot];
  const [row, column] = [Math.floor(slot / layer.columns), slot % layer.columns];
  return [
    layer.left + ((column + 0.5) * layer.width) / layer.columns,
    layer.top + ((row + 0.5) * layer.height) / layer.rows,
  ];
}

/** Which of the places lies next in the direction of an arrow key, or -1. */
export function neighbour(places, from, key) {
  const [x, y] = places[from];
  const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  let [best, least] = [-1, Infinity];
  for (const [index, place] of places.entries()) {
    const [along, aside] = right ? [(place[0] - x) * right, place[1] - y] : [(place[1] - y) * down, place[0] - x];
    const distance = along + 3 * Math.abs(aside);
    if (along > 1 && distance < least && along >= Math.abs(aside) / 4) [best, least] = [index, distance];
  }
  return best;
}
