/** Weights times activations, as pictures: what a neuron looks for, what is there, what speaks for and against it. */

import { element } from "../elements.js";
import { largestSize } from "../watch/contributions.js";
import { decimal } from "../watch/numbers.js";
import { gridOf } from "./cells.js";
import { createWeightsGrid } from "./weights.js";

const MAX_ROW = 40;

/** Make the grids of so many numbers in the figures of `root`; returns draw({weights, activations, products}). */
export function createGrids(root, count, shape, onPoint) {
  const [rows, columns] = shape ?? (count <= MAX_ROW ? [1, count] : gridOf(count));
  root.classList.toggle("strips", rows === 1);
  const grids = [...root.children].map((figure) => {
    const name = figure.dataset.figure;
    const isWhite = name === "activations";
    const grid = createWeightsGrid({
      rows,
      columns,
      count,
      label: `${name} as a picture, arrow keys lead from one to another`,
      isPlain: isWhite,
      onPoint(cell) {
        for (const other of grids) other.point(cell);
        onPoint(cell);
      },
    });
    figure.firstElementChild.replaceChildren(grid.canvas);
    return { ...grid, name, isWhite, legend: figure.querySelector(".scale") };
  });

  return function draw(values) {
    for (const { name, isWhite, legend, draw: drawGrid } of grids) {
      const isPlain = isWhite && values[name].every((number) => number >= 0);
      const largest = largestSize(values[name]) || 1;
      const scale = isWhite ? Math.max(1, largest) : largest;
      drawGrid(values[name], scale);
      const ramp = element("i", { className: isPlain ? "night plain" : "night" });
      legend.replaceChildren(isPlain ? "0" : decimal(-scale, 2), ramp, decimal(scale, 2));
    }
  };
}
