/** Weights times activations, as pictures: what a neuron looks for, what is there, and what speaks for and against it. */

import { largestSize } from "../watch/contributions.js";
import { decimal, signed } from "../watch/numbers.js";
import { gridOf } from "./cells.js";
import { createWeightsGrid } from "./weights.js";

const IN_A_ROW = 40;
const STEPS = 15;
const FIGURES = ["weights", "activations", "products"];

/** The rows and columns in which the numbers before a neuron are shown. */
export function shapeOf(count, shape) {
  return shape ?? (count <= IN_A_ROW ? [1, count] : gridOf(count));
}

/**
 * Make the three grids and their legends in the figures below `root`, for so many numbers. `onPoint`
 * is called with the cell that is pointed at, or -1. Returns draw(values), of
 * {weights, activations, products}.
 */
export function createGrids(root, { count, shape, nouns }, onPoint) {
  const [rows, columns] = shapeOf(count, shape);
  root.classList.toggle("strips", rows === 1);
  const grids = FIGURES.map((name) => {
    const figure = root.querySelector(`[data-figure=${name}]`);
    const place = figure.querySelector("div");
    const grid = createWeightsGrid({
      rows,
      columns,
      count,
      label: `${name} of ${count} ${nouns}, arrow keys move from one to another`,
      isPlain: name === "activations",
      onPoint: (cell) => {
        for (const other of grids) other.point(cell);
        onPoint(cell);
      },
    });
    place.replaceChildren(grid.canvas);
    return { ...grid, legend: createLegend(figure.querySelector(".scale")) };
  });

  return function draw(values) {
    for (const [index, name] of FIGURES.entries()) {
      const largest = largestSize(values[name]) || 1;
      const scale = name === "activations" && largest <= 1 ? 1 : largest;
      grids[index].draw(values[name], scale);
      const isSigned = name !== "activations" || values[name].some((number) => number < 0);
      grids[index].legend(scale, isSigned, name === "activations");
    }
  };
}

/** Make a strip from the least to the largest number; returns draw(scale, isSigned, isPlain). */
function createLegend(place) {
  const [low, high] = [document.createElement("span"), document.createElement("span")];
  let strip = null;
  let kind = null;

  return function draw(scale, isSigned, isPlain) {
    if (kind !== isSigned) {
      kind = isSigned;
      strip = createWeightsGrid({ rows: 1, columns: STEPS, label: "from the least to the largest", isPlain });
      place.replaceChildren(low, strip.canvas, high);
    }
    const share = (k) => (isSigned ? (2 * k) / (STEPS - 1) - 1 : k / (STEPS - 1));
    strip.draw(Array.from({ length: STEPS }, (_, k) => share(k)), 1);
    low.textContent = isSigned ? decimal(-scale, 2) : "0";
    high.textContent = isSigned ? signed(scale, 2) : decimal(scale, 2);
  };
}
