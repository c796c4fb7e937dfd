/**
 * What charts over time have in common: a figure with its caption, a canvas, a read-out below it that is the key to
 * the series as well, and the same as a table. A pointer, a finger or the arrow keys choose a time, in all charts at once.
 */

import { element, say } from "../../../js/elements.js";
import { fillTable } from "../../../js/watch/table.js";
import { formatTime } from "../format.js";
import { columnsOf } from "../scale.js";
import { areaOf, paintMarks, paintPointer, paintTimes } from "./axes.js";
import { createPicture } from "./canvas.js";
import { showKeys } from "./keys.js";
import { pointAt, pointed } from "./pointer.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
const RISES = { ArrowUp: 1, ArrowDown: -1 };
const frames = new WeakMap();

/**
 * Show a chart of a kind in an element, or show other values in the chart that it holds.
 * A kind has functions of the content's view:
 *   view(content, hidden): what can be worked out once, for any place of the pointer;
 *   paint(context, area, view, column): the values and their axis;
 *   keys(view, column): the key with its values [{name, text, colour, dash, texture}]; column -1 is now;
 *   words(view, column, row): more to read out, or "";
 *   table(view): {heads, rows} after the column of times;
 *   and, if rows can be pointed at, row(view, share): the row at a share of the height, from below, and
 *   rows(view): their number.
 */
export function showChart(kind, root, content) {
  if (!frames.has(root)) frames.set(root, createFrame(kind, root));
  frames.get(root)(content);
}

function createFrame(kind, root) {
  const picture = createPicture({ say: write, paint });
  const plot = element("div", { className: "plot", role: "slider", tabIndex: 0 }, picture.canvas);
  const [title, hint] = [element("h3"), element("p", { className: "hint" })];
  const [time, note] = [element("span", { className: "time number" }), element("span", { className: "note" })];
  const keys = element("ul", { className: "keys" });
  const toggle = element("button", { type: "button", className: "small", ariaPressed: "false" }, "Table");
  const table = element("table", { className: "numbers" });
  const place = element("div", { className: "scroll", role: "region", tabIndex: 0, hidden: true }, table);
  const readout = element("div", { className: "readout" }, time, keys, note, toggle);
  root.replaceChildren(
    element("figure", { className: "chart" }, element("figcaption", {}, title, hint), plot, place, readout),
  );
  const hidden = new Set();
  let [content, columns, view, area] = [null, null, null, null];
  let [row, rowTime] = [-1, null];

  function show(newest) {
    content = { marks: [], hint: "", ...newest };
    columns = columnsOf(content.times);
    work();
  }

  function work() {
    view = kind.view(content, hidden);
    picture.draw();
  }

  /** The row that is pointed at, if it is at the time that is. */
  const rowNow = () => (rowTime === pointed ? row : -1);

  function write() {
    const column = columns.at(pointed);
    const isPointed = column >= 0;
    const series = kind.keys(view, column);
    const marks = isPointed ? content.marks.filter((mark) => columns.at(mark.time) === column) : [];
    const words = [kind.words?.(view, column, rowNow()), ...marks.map(({ label }) => label)];
    const when = isPointed ? formatTime(content.times[column]) : (content.now?.label ?? "newest");
    say(title, content.title);
    say(hint, content.hint);
    say(time, when);
    say(note, words.filter(Boolean).join(", "));
    showKeys(keys, series, hidden, press);
    plot.ariaLabel = content.title;
    place.ariaLabel = `${content.title}, as a table`;
    plot.ariaValueMin = columns.begin;
    plot.ariaValueMax = columns.end;
    // While one listens, only what one chooses is read out, not every second.
    if (isPointed || document.activeElement !== plot) {
      plot.ariaValueNow = isPointed ? columns.time(column) : columns.end;
      const values = series.filter(({ name }) => !hidden.has(name)).map(({ name, text }) => `${name} ${text}`);
      plot.ariaValueText = `${when}: ${[...values, ...words].filter(Boolean).join(", ")}`;
    }
    if (!place.hidden) fillTable(table, rowsOf());
  }

  function rowsOf() {
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

  function follow({ clientX, clientY }) {
    if (!area) return;
    const box = plot.getBoundingClientRect();
    const [across, down] = [(clientX - box.left - area.left) / area.width, (clientY - box.top - area.top) / area.height];
    point(Math.floor(across * columns.count), kind.row?.(view, Math.min(1, Math.max(0, 1 - down))) ?? -1);
  }

  function point(column, newRow) {
    const time = columns.time(Math.min(columns.count - 1, Math.max(0, column)));
    [row, rowTime] = [newRow, time];
    picture.draw();
    pointAt(time);
  }

  plot.onpointermove = plot.onpointerdown = follow;
  plot.onpointerleave = ({ pointerType }) => pointerType === "mouse" && pointAt(null);
  plot.onkeydown = (event) => {
    const current = columns.at(pointed);
    const from = current < 0 ? columns.count - 1 : current;
    if (event.key === "Escape") pointAt(null);
    else if (event.key in STEPS) point(current < 0 && event.key === "ArrowLeft" ? from : from + STEPS[event.key], rowNow());
    else if (event.key in RISES && kind.row) point(from, Math.min(kind.rows(view) - 1, Math.max(0, rowNow() + RISES[event.key])));
    else return;
    event.preventDefault();
  };
  toggle.onclick = () => {
    place.hidden = !place.hidden;
    [plot.hidden, toggle.ariaPressed] = [!place.hidden, !place.hidden];
    picture.draw();
  };
  return show;
}
