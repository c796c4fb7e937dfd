/** What stands around values over time: ticks with their lines, times, marks, and the column that is pointed at. */

import { tickText, timeTicks } from "../ticks.js";
import { colour } from "./colours.js";

/** In heights of a line of small print. */
const [GUTTER, FOOT, HEAD, TICK_WIDTH] = [4.6, 1.7, 1.3, 6.5];

/** The box in which values are drawn: {left, top, width, height, em}. */
export function areaOf(context, width, height) {
  const em = parseFloat(context.font);
  const [left, top] = [GUTTER * em, HEAD * em];
  return { left, top, width: Math.max(1, width - left - 2), height: Math.max(1, height - top - FOOT * em), em };
}

/** Draw the ticks of a scale {ticks, place} to the left of an area, and a line for each. */
export function paintTicks(context, { left, top, width, height, em }, { ticks, place }, unit) {
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillStyle = colour("muted");
  context.strokeStyle = colour("line");
  context.lineWidth = 1;
  context.beginPath();
  for (const tick of ticks) {
    const y = top + height * (1 - place(tick));
    context.fillText(tickText(tick, unit, ticks[1] - ticks[0]), left - 0.6 * em, y, left - 0.6 * em);
    context.moveTo(left, Math.round(y) + 0.5);
    context.lineTo(left + width, Math.round(y) + 0.5);
  }
  context.stroke();
}

/** Draw the times below an area. */
export function paintTimes(context, { left, top, width, height, em }, columns) {
  context.textBaseline = "alphabetic";
  context.textAlign = "center";
  context.fillStyle = colour("muted");
  for (const { time, text } of timeTicks(columns.begin, columns.end, width / (TICK_WIDTH * em))) {
    const x = left + width * columns.place(time);
    // On the left there is room below the ticks.
    if (x + context.measureText(text).width / 2 <= left + width) context.fillText(text, x, top + height + 1.4 * em);
  }
}

/** Draw marks [{time, letter, label}] as dotted lines with their letters above. */
export function paintMarks(context, { left, top, width, height, em }, columns, marks) {
  context.textBaseline = "alphabetic";
  context.textAlign = "center";
  context.fillStyle = context.strokeStyle = colour("text");
  context.setLineDash([1.5, 3]);
  context.lineWidth = 1.5;
  context.beginPath();
  let written = -Infinity;
  for (const { time, letter } of marks) {
    const place = columns.place(time);
    if (place < 0 || place > 1) continue;
    const x = left + width * place;
    context.moveTo(x, top);
    context.lineTo(x, top + height);
    // Letters of what happened at nearly the same time would be illegible.
    if (x - written < em) continue;
    context.fillText(letter, x, top - 0.3 * em);
    written = x;
  }
  context.stroke();
  context.setLineDash([]);
}

/** Draw a line in the middle of the column that is pointed at. */
export function paintPointer(context, { left, top, width, height }, columns, column) {
  if (column < 0) return;
  const x = Math.round(left + width * columns.middle(column)) + 0.5;
  context.strokeStyle = colour("text");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x, top + height);
  context.stroke();
}
