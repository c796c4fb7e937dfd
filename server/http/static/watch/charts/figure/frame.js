/**
 * What charts over time have in common: a figure with its caption, a canvas, a key that is the read-out as well, and
 * the same as a table. A pointer, a finger or the arrow keys choose a time, in all charts at once.
 */

import { element, say } from "../../../js/elements.js";
import { fillTable } from "../../../js/watch/table.js";
import { formatTime } from "../format.js";
import { columnsOf } from "../scale.js";
import { areaOf, paintMarks, paintPointer, paintTimes } from "./axes.js";
import { createPicture } from "./canvas.js";
import { createFigure } from "./figure.js";
import { showKeys } from "./keys.js";
import { pointAt, pointed } from "./pointer.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
const RISES = { ArrowUp: 1, ArrowDown: -1 };

/**
 * Make a chart of a kind in an element; returns what shows a content in it. A kind has functions of a view:
 *   view(content, hidden): what can be worked out wherever the pointer is; `hidden` are names of series;
 *   paint(context, area, view, column, row): the values and their axis;
 *   keys(view, column): the series with their values [{name, text, colour, dash, texture}]; column -1 is now;
 *   words(view, column, row): more to read out, or "";
 *   table(view): {heads, rows} to the right of the times;
 *   row(view, share), rows(view): if rows can be pointed at, the one at a share of the height and their number.
 */
export function createChart(kind, root) {
  const picture = createPicture({ say: write, paint });
  // Arrow keys reach a slider from within a screen reader, which reads its value text, politely, whenever it changes.
  const plot = element("div", { className: "plot", role: "slider", tabIndex: 0 }, picture.canvas);
  const [time, note] = [element("span", { className: "number" }), element("p", { className: "note" })];
  const keys = element("ul", { className: "keys" });
  const toggle = element("button", { type: "button", className: "small", ariaPressed: "false" }, "Table");
  const table = element("table", { className: "numbers" });
  const place = element("div", { className: "scroll", role: "region", tabIndex: 0, hidden: true }, table);
  const figure = createFigure(plot, place, keys, note);
  figure.tools.append(time, toggle);
  root.replaceChildren(figure.root);
  const hidden = new Set();
  let [content, columns, view, area] = [null, null, null, null];
  let [row, rowTime] = [-1, null];

  function show(newest) {
    content = { marks: [], ...newest };
    columns = columnsOf(content.times);
    // Moved again, it would lose the focus.
    if (content.tools && !figure.tools.contains(content.tools)) toggle.before(content.tools);
    work();
  }

  function work() {
    view = kind.view(content, hidden);
    picture.draw();
  }

  /** The row that is pointed at, if its time still is. */
  const rowNow = () => (rowTime === pointed ? row : -1);

  function write() {
    const column = columns.at(pointed);
    const isPointed = column >= 0;
    const series = kind.keys(view, column);
    const marks = content.marks.filter((mark) => isPointed && columns.at(mark.time) === column);
    const words = [kind.words?.(view, column, rowNow()), ...marks.map(({ label }) => label)].filter(Boolean);
    const when = isPointed ? formatTime(content.times[column]) : "newest";
    figure.show(content);
    say(time, when);
    showKeys(keys, series, hidden, press);
    say(note, words.join(", "));
    plot.ariaLabel = content.title;
    place.ariaLabel = `${content.title}, as a table`;
    [plot.ariaValueMin, plot.ariaValueMax] = [columns.begin, columns.end];
    // While one listens, only what one chooses is read out, not every second.
    if (isPointed || document.activeElement !== plot) {
      const values = series.filter(({ name }) => !hidden.has(name)).map(({ name, text }) => `${name} ${text}`);
      plot.ariaValueNow = isPointed ? columns.time(column) : columns.end;
      plot.ariaValueText = `${when}: ${[...values, ...words].join(", ")}`;
    }
    if (!place.hidden) fillTable(table, tableOf());
  }

  function tableOf() {
    const { heads, rows } = kind.table(view);
    const timed = rows.map((cells, k) => [formatTime(content.times[k]), ...cells]);
    return { caption: content.title, heads: ["Time", ...heads], rows: timed.reverse() };
  }

  function paint(context, width, height) {
    area = areaOf(context, width, height);
    const column = columns.at(pointed);
    paintTimes(context, area, columns);
    kind.paint(context, area, view, column, rowNow());
    paintMarks(context, area, columns, content.marks);
    paintPointer(context, area, columns, column);
  }

  function press(name) {
    if (!hidden.delete(name)) hidden.add(name);
    work();
  }

  function point(column, newRow) {
    const time = columns.time(Math.min(columns.count - 1, Math.max(0, column)));
    [row, rowTime] = [newRow, time];
    picture.draw();
    pointAt(time);
  }

  plot.onpointermove = plot.onpointerdown = ({ clientX, clientY }) => {
    if (!area) return;
    const { left, top } = plot.getBoundingClientRect();
    const column = Math.floor(((clientX - left - area.left) / area.width) * columns.count);
    const share = 1 - (clientY - top - area.top) / area.height;
    point(column, kind.row ? kind.row(view, Math.min(1, Math.max(0, share))) : -1);
  };
  plot.onpointerleave = ({ pointerType }) => {
    if (pointerType === "mouse") pointAt(null);
  };
  plot.onkeydown = (event) => {
    const { key } = event;
    const current = columns.at(pointed);
    // With none chosen, the first step back leads to the newest.
    const from = current < 0 ? columns.count : current;
    if (key === "Escape") pointAt(null);
    else if (key in STEPS) point(from + STEPS[key], rowNow());
    else if (key in RISES && kind.row) point(from, Math.min(kind.rows(view) - 1, Math.max(0, rowNow() + RISES[key])));
    else return;
    event.preventDefault();
  };
  toggle.onclick = () => {
    [place.hidden, plot.hidden] = [plot.hidden, place.hidden];
    toggle.ariaPressed = plot.hidden;
    picture.draw();
  };
  return show;
}
