/** Weights times activations, as pictures: what a neuron looks for, what is there, what speaks for and against it. */

import { largestSize } from "../watch/contributions.js";
import { decimal } from "../watch/numbers.js";
import { gridOf } from "./cells.js";
import { createWeightsGrid } from "./weights.js";

const MAX_ROW = 40;
const FIGURES = ["weights", "activations", "products"];

/**
 * Make the three grids in the figures below `root`, for so many numbers; `onPoint` is called with the cell that
 * is pointed at, or -1. Returns draw({weights, activations, products}).
 */
export function createGrids(root, count, shape, onPoint) {
  const [rows, columns] = shape ?? (count <= MAX_ROW ? [1, count] : gridOf(count));
  root.classList.toggle("strips", rows === 1);
  const grids = FIGURES.map((name) => {
    const figure = root.querySelector(`[data-figure=${name}]`);
    const grid = createWeightsGrid({
      rows,
      columns,
      count,
      label: `${name} as a picture, arrow keys lead from one to another`,
      isPlain: name === "activations",
      onPoint(cell) {
        for (const other of grids) other.point(cell);
        onPoint(cell);
      },
    });
    figure.firstElementChild.replaceChildren(grid.canvas);
    return { ...grid, name, legend: figure.querySelector(".scale") };
  });

  return function draw(values) {
    for (const { name, legend, draw: drawGrid } of grids) {
      const isPlain = name === "activations" && values[name].every((number) => number >= 0);
      const largest = largestSize(values[name]) || 1;
      const scale = name === "activations" ? Math.max(1, largest) : largest;
      drawGrid(values[name], scale);
      legend.classList.toggle("plain", isPlain);
      [legend.firstChild.textContent, legend.lastChild.textContent] = [isPlain ? "0" : decimal(-scale), decimal(scale)];
    }
  };
}
