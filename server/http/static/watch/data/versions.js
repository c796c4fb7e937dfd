/** The numbers that are shown of each model and version. */

import { byNumber, byText } from "./order.js";

/** Fewer images than this would be far from what was expected by chance alone. */
export const MIN_DRIFT_IMAGES = 200;
/** As the recording rules have it: an empty bin must not make the logarithm infinite. */
const MIN_SHARE = 0.0001;

const PREDICTIONS = "mlpserve_predictions_total";
const LABELS = "mlpserve_predicted_labels_total";

/**
 * Each version that is loaded or has answered in the Look's time, by model and number:
 * {model, version, versionLabels (those that point to it), share (of its model's predictions), total, perSecond,
 * errorsPerSecond, errorShare, p50, p90, p99, queueP99 (of the time queued), images: {total, perSecond}, labels:
 * [{label, share}] (of its images, the most frequent first), confidence: {p10, p50, p90} (of the winning activation),
 * drift: {labels, ...: the Population Stability Index of what the label `of` names}, shadowDiffering (of the images that
 * it shadowed)}. A prediction is a call, or a message of a stream. An error is another code than OK; who cancels waits
 * for no answer, which counts neither way.
 */
export function versions(look) {
  return names(look).map(([model, version]) => {
    const labels = { model, version };
    return {
      model,
      version,
      versionLabels: look
        .facts("mlpserve_version_label_info", labels)
        .map((one) => one.labels.version_label)
        .sort(byText),
      ...predictions(look, labels),
      queueP99: look.quantile(0.99, "mlpserve_stage_seconds", { ...labels, stage: "queue" }),
      images: {
        total: look.total("mlpserve_images_total", labels),
        perSecond: look.rate("mlpserve_images_total", labels),
      },
      labels: labelShares(look, labels),
      confidence: look.quantiles({ p10: 0.1, p50: 0.5, p90: 0.9 }, "mlpserve_winning_activation", labels),
      drift: drift(look, labels),
      shadowDiffering:
        look.increase("mlpserve_shadow_differing_images_total", labels) /
        look.increase("mlpserve_shadow_images_total", labels),
    };
  });
}

/** [model, version] of each, in order. */
function names(look) {
  const found = new Map();
  const add = ({ model, version }) => found.set(JSON.stringify([model, version]), [model, version]);
  for (const { labels } of look.facts("mlpserve_model_info")) add(labels);
  for (const name of [PREDICTIONS, "mlpserve_images_total"]) for (const labels of look.grown(name)) add(labels);
  return [...found.values()].sort((left, right) => byText(left[0], right[0]) || byNumber(left[1], right[1]));
}

function predictions(look, labels) {
  // Zero where nothing was counted, unknown where nothing counts.
  const known = look.has(PREDICTIONS) ? 1 : NaN;
  return {
    share: look.increase(PREDICTIONS, labels) / look.increase(PREDICTIONS, { model: labels.model }),
    total: look.total(PREDICTIONS, labels) * known,
    perSecond: look.rate(PREDICTIONS, labels) * known,
    errorsPerSecond: (countErrors(look, labels).failed / look.seconds) * known,
    errorShare: errorShare(look, labels),
    ...look.quantiles({ p50: 0.5, p90: 0.9, p99: 0.99 }, "mlpserve_prediction_seconds", labels),
  };
}

/** The share of predictions that are errors, of the version with the labels {model, version}. */
export function errorShare(look, labels) {
  const { failed, ended } = countErrors(look, labels);
  return failed / ended;
}

function countErrors(look, labels) {
  const codes = look.increases(PREDICTIONS, "grpc_code", labels);
  const ended = look.increase(PREDICTIONS, labels) - (codes.get("Canceled") ?? 0);
  return { failed: ended - (codes.get("OK") ?? 0), ended };
}

function labelShares(look, labels) {
  const counts = [...look.increases(LABELS, "label", labels)].filter(([, count]) => count);
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  return counts
    .sort(([left, some], [right, others]) => others - some || byText(left, right))
    .map(([label, count]) => ({ label, share: count / all }));
}

/** How far what was seen is from the training images, by what: the sum over bins of (p - q) * ln(p / q). */
function drift(look, labels) {
  const expected = new Map();
  for (const one of look.facts("mlpserve_drift_reference_ratio", labels)) {
    const { of, bin } = one.labels;
    if (!expected.has(of)) expected.set(of, new Map());
    expected.get(of).set(bin, one.value);
  }
  const indices = [...expected].map(([of, shares]) => {
    const seen = look.increases("mlpserve_drift_images_total", "bin", { ...labels, of });
    const images = [...seen.values()].reduce((sum, count) => sum + count, 0);
    return [of, images < MIN_DRIFT_IMAGES ? NaN : stabilityIndex(shares, seen, images)];
  });
  return Object.fromEntries(indices);
}

function stabilityIndex(expected, seen, images) {
  return [...expected].reduce((sum, [bin, share]) => {
    const p = Math.max((seen.get(bin) ?? 0) / images, MIN_SHARE);
    const q = Math.max(share, MIN_SHARE);
    return sum + (p - q) * Math.log(p / q);
  }, 0);
}
