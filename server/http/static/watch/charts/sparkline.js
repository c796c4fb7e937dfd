/**
 * A small line without axes, for a table's cell.
 *
 *     sparkline(cell, { name: "p99", unit: "seconds", values });
 *
 * Call it again with the newest values. Durations are logarithmic; all else starts at 0.
 */

import { colour } from "./figure/colours.js";
import { createPicture } from "./figure/canvas.js";
import { keptIn } from "./figure/kept.js";
import { formatOf } from "./format.js";
import { isValue, linearScale, logScale } from "./scale.js";

/**
 * Draw values in an element.
 * @param {HTMLElement} element
 * @param {object} content
 * @param {string} content.name what it shows
 * @param {"seconds"|"rate"|"share"|"bytes"|"count"|"number"} content.unit see format.js
 * @param {number[]} content.values the newest last; null or NaN where there is none
 * @param {string} [content.colour] a variable of the stylesheets
 */
export const sparkline = keptIn(createSparkline);

function createSparkline(root) {
  let content = null;
  const picture = createPicture({ say: write, paint });
  picture.canvas.className = "sparkline";
  picture.canvas.ariaHidden = null;
  picture.canvas.role = "img";
  root.replaceChildren(picture.canvas);

  function write() {
    const { name, unit, values } = content;
    const format = formatOf(unit);
    const there = values.filter(isValue);
    const [least, most] = [Math.min(...there), Math.max(...there)];
    const words = there.length ? `${format(least)} to ${format(most)}, newest ${format(values.at(-1))}` : "no values";
    picture.canvas.ariaLabel = `${name}: ${words}`;
  }

  function paint(context, width, height) {
    const { unit, values } = content;
    const scale = unit === "seconds" ? logScale([values]) : linearScale([values]);
    const x = (k) => 2 + ((width - 4) * (k + 0.5)) / values.length;
    const y = (value) => height - 2 - (height - 4) * Math.min(1, scale.place(value));
    context.strokeStyle = context.fillStyle = colour(content.colour ?? "series-1");
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.beginPath();
    for (const [k, value] of values.entries()) {
      if (!isValue(value)) continue;
      if (isValue(values[k - 1])) context.lineTo(x(k), y(value));
      else {
        context.moveTo(x(k), y(value));
        context.fillRect(x(k) - 0.75, y(value) - 0.75, 1.5, 1.5);
      }
    }
    context.stroke();
  }

  return (newest) => {
    content = newest;
    picture.draw();
  };
}
