/** The versions, side by side: what each answers, and how fast. */

import { formatCount, formatDuration, formatRate, formatShare } from "../charts/format.js";
import { errorShare } from "../data/versions.js";
import { addLines, addTable } from "./panels.js";
import { titleOf } from "./words.js";

const HEADS = [
  ...["Version", "Share of calls", "Calls/s", "Since the start", "Images/s", "Errors/s"],
  ...["p50", "p90", "p99", "Queued (p99)", "Shadow differs"],
];
const PREDICTIONS = "mlpserve_predictions_total";
const SECONDS = "mlpserve_prediction_seconds";
const STAGE = "mlpserve_stage_seconds";
const MAX_ROWS = 40;

/** Lines of each version: what lineChart takes, and `read(look, labels)`. */
const LINES = [
  {
    title: "Predictions by version",
    hint: "Calls, and messages of streams, that each version answers or fails per second.",
    unit: "rate",
    read: (look, labels) => look.rate(PREDICTIONS, labels),
  },
  {
    title: "Errors by version",
    hint: "Share of each version's predictions that end with a code other than OK or Canceled.",
    unit: "share",
    read: errorShare,
  },
  {
    title: "Duration by version (p99)",
    hint: "99% of each version's predictions take no longer, from their arrival to the answer.",
    unit: "seconds",
    read: (look, labels) => look.quantile(0.99, SECONDS, labels),
  },
  {
    title: "Time queued by version",
    hint: "Mean time that an answered call of each version waited for its run.",
    unit: "seconds",
    read: (look, labels) => look.mean(STAGE, { ...labels, stage: "queue" }),
  },
];

/** Returns a function that shows a View. */
export function startVersions(section) {
  const table = addTable(section, "Versions loaded", "No version is loaded.");
  const none = "No version has been called in this time.";
  const addOne = ({ read, ...content }) => [read, addLines(section, { needs: PREDICTIONS, none, ...content })];
  const lines = LINES.map(addOne);

  return (view) => {
    // A server may have hundreds: then those that are called most.
    const shown = view.versions.length > MAX_ROWS ? mostCalled(view.versions) : view.versions;
    table({ heads: HEADS, rows: shown.map(cellsOf) });
    const active = view.active.map((one) => [titleOf(one), { model: one.model, version: one.version }]);
    for (const [read, draw] of lines) {
      const readAll = (look) => Object.fromEntries(active.map(([title, labels]) => [title, read(look, labels)]));
      draw(view, readAll, { key: JSON.stringify(active) });
    }
  };
}

const mostCalled = (versions) => versions.toSorted((left, right) => right.total - left.total).slice(0, MAX_ROWS);

function cellsOf(one) {
  const { share, perSecond, total, images, errorsPerSecond, p50, p90, p99, queueP99, shadowDiffering } = one;
  const counted = [formatShare(share), formatRate(perSecond), formatCount(total)];
  const rates = [formatRate(images.perSecond), formatRate(errorsPerSecond)];
  const durations = [p50, p90, p99, queueP99].map(formatDuration);
  return [titleOf(one), ...counted, ...rates, ...durations, formatShare(shadowDiffering)];
}
