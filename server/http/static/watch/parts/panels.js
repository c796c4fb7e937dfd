/** Panels of a section: tables, and charts of a View. */

import { element, say } from "../../js/elements.js";
import { fillTable } from "../../js/watch/table.js";
import { heatmap } from "../charts/heatmap.js";
import { lineChart } from "../charts/lines.js";
import { NOW_SECONDS } from "./view.js";

/** In the place of what a server lacks, such as one of another version. */
const UNTOLD = "This server does not report this.";
/** More lines than these can't be told from each other. */
const MAX_LINES = 8;

/** Add a table. Returns a function that fills it with {heads, rows}; below stands `note`, or `none` for no rows. */
export function addTable(section, title, none) {
  const table = element("table");
  const place = element("div", { className: "scroll", role: "region", tabIndex: 0, ariaLabel: title }, table);
  const words = element("p", { className: "note" });
  addPanel(section, "panel wide").append(place, words);
  return ({ heads, rows, note = "" }) => {
    fillTable(table, { caption: title, heads: rows.length ? heads : [], rows });
    say(words, rows.length ? note : none);
  };
}

/**
 * Add lines over time, of what lineChart takes, or `draw` in its place. Returns a function of a View, and of a function
 * from a Look to numbers by the names of their lines; `key` says what these are of, if that changes, and `hint` is
 * added to the hint. Without any line the panel says `none`. A server that lacks the metric `needs` does not tell.
 */
export function addLines(section, { needs, none, draw = lineChart, ...content }) {
  const panel = addChart(section, content.title);
  const readAll = remember();
  let order = [];
  return (view, read, { key = "", hint = "" } = {}) => {
    const found = readAll(view.rates, read, key);
    const names = new Set(found.flatMap((numbers) => Object.keys(numbers ?? {})));
    // A line keeps its colour when another one comes.
    order = [...new Set([...order.filter((name) => names.has(name)), ...names])];
    if (!panel.isDrawn(view.now.has(needs) ? (names.size ? "" : none) : UNTOLD)) return;
    const lines = order.slice(0, MAX_LINES);
    const series = lines.map((name) => ({ name, values: found.map((numbers) => numbers?.[name] ?? NaN) }));
    const numbers = read(view.now);
    const now = { label: `last ${NOW_SECONDS} s`, values: lines.map((name) => numbers[name] ?? NaN) };
    const words = [content.hint, hint].filter(Boolean).join(" ");
    draw(panel.place, { ...content, hint: words, times: view.times, marks: view.marks, series, now });
  };
}

/** Add a heatmap. Returns a function as that of `addLines`, where Looks have buckets: [{low, high, count}]. */
export function addHeatmap(section, { needs, ...content }) {
  const panel = addChart(section, content.title);
  const readAll = remember();
  return (view, read, { key }) => {
    const bounds = read(view.now).map(({ high }) => high);
    if (!panel.isDrawn(view.now.has(needs) && bounds.length ? "" : UNTOLD)) return;
    const counts = readAll(view.looks, read, key).map((buckets) => buckets && buckets.map(({ count }) => count));
    heatmap(panel.place, { ...content, times: view.times, marks: view.marks, bounds, counts });
  };
}

/** Read all of these Looks, of which most are those of a second ago. */
function remember() {
  let [known, knownKey] = [new WeakMap(), ""];
  return (looks, read, key) => {
    if (key !== knownKey) [known, knownKey] = [new WeakMap(), key];
    return looks.map((look) => {
      if (look && !known.has(look)) known.set(look, read(look));
      return look && known.get(look);
    });
  };
}

/** A panel that has a chart, or words in its place. */
function addChart(section, title) {
  const place = element("div");
  const words = element("p", { className: "note" });
  const instead = element("div", { hidden: true }, element("h3", {}, title), words);
  addPanel(section, "panel").append(place, instead);
  return {
    place,
    /** Whether the chart is drawn: there are no words to say in its place. */
    isDrawn(told) {
      [place.hidden, instead.hidden] = [Boolean(told), !told];
      say(words, told);
      return !told;
    },
  };
}

function addPanel(section, className) {
  const panel = element("div", { className });
  section.querySelector(".panels").append(panel);
  return panel;
}
