/** What the versions see and say, a card each: labels, how sure they are, and how far that is from their training. */

import { element, say } from "../../js/elements.js";
import { fillTable } from "../../js/watch/table.js";
import { shareBars } from "../charts/bars.js";
import { formatCount, formatNumber } from "../charts/format.js";
import { MIN_DRIFT_IMAGES } from "../data/versions.js";
import { titleOf } from "./words.js";

const LABELS = "mlpserve_predicted_labels_total";
/** A Population Stability Index (PSI) of 0.1 is worth a look, one of 0.25 is drift. */
const VERDICTS = [[0.25, "drift"], [0.1, "worth a look"], [-Infinity, "as trained"]];

/** Returns a function that shows a View. */
export function startSaid(section) {
  const [cards, words] = [element("div", { className: "cards" }), element("p", { className: "note" })];
  section.append(cards, words);
  const known = new Map();

  return (view) => {
    const shown = view.active.map((one) => {
      const title = titleOf(one);
      if (!known.has(title)) known.set(title, createCard(title));
      known.get(title).fill(one, view.whole);
      return known.get(title).root;
    });
    if (shown.some((card, k) => cards.children[k] !== card) || cards.children.length > shown.length) {
      cards.replaceChildren(...shown);
    }
    say(words, shown.length ? "" : "No version has classified an image in this time.");
  };
}

function createCard(title) {
  const [bars, table] = [element("div"), element("table")];
  const root = element("article", { className: "card" }, element("h3", {}, title), bars, table);
  return {
    root,
    fill({ model, version, images, confidence, drift }, look) {
      const counts = look.increases(LABELS, "label", { model, version });
      const given = [...counts].map(([name, value]) => ({ name, value })).filter(({ value }) => value);
      shareBars(bars, { title: "Labels", rows: given });
      const spread = Object.entries(confidence).map(([name, activation]) => `${name} ${formatNumber(activation)}`);
      const drifts = Object.entries(drift).map(([of, index]) => [`Drift of ${of.replace("_", " ")}`, describe(index)]);
      const counted = ["Images", `${formatCount(images.total)} since the start`];
      const rows = [counted, ["Winning activation", spread.join(", ")], ...drifts];
      fillTable(table, { caption: "", heads: [], rows });
    },
  };
}

function describe(index) {
  if (Number.isNaN(index)) return `not known below ${MIN_DRIFT_IMAGES} images`;
  const [, verdict] = VERDICTS.find(([least]) => index >= least);
  return `PSI ${formatNumber(index)}, ${verdict}`;
}
