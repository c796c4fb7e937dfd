/** The versions that are loaded, side by side: what each answers, and how fast. */

import { formatCount, formatDuration, formatRate, formatShare } from "../charts/format.js";
import { addLines, addTable } from "./panels.js";
import { titleOf } from "./words.js";

const HEADS = [
  ...["Version", "Share of calls", "Calls/s", "Since the start", "Images/s", "Errors/s"],
  ...["p50", "p90", "p99", "Queued (p99)", "Shadow differs"],
];
const PREDICTION = "mlpserve_prediction_seconds";
const IMAGES = "mlpserve_images_total";
const MAX_ROWS = 40;

/** Returns a function that shows a View. */
export function startServed(section) {
  const table = addTable(section, "Versions loaded", "No version is loaded.");
  const images = addLines(section, {
    title: "Images by version",
    hint: "Images classified per second.",
    unit: "rate",
    needs: IMAGES,
    none: "No version has classified an image in this time.",
  });
  const slowest = addLines(section, {
    title: "Duration by version (p99)",
    hint: "99% of each version's calls take no longer.",
    unit: "seconds",
    needs: `${PREDICTION}_bucket`,
    none: "No version has been called in this time.",
  });

  return (view) => {
    // A server may have hundreds; those that are called come first then.
    const shown = view.versions.length > MAX_ROWS ? mostCalled(view.versions) : view.versions;
    table({ heads: HEADS, rows: shown.map(cellsOf) });
    const active = view.active.map((one) => [titleOf(one), { model: one.model, version: one.version }]);
    const ofEach = (read) => (look) => Object.fromEntries(active.map(([title, labels]) => [title, read(look, labels)]));
    const key = JSON.stringify(active);
    images(view, ofEach((look, labels) => look.rate(IMAGES, labels)), { key });
    slowest(view, ofEach((look, labels) => look.quantile(0.99, PREDICTION, labels)), { key });
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
