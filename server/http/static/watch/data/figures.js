/**
 * The numbers that are shown of a Look, a section each; mlpserve/metrics/figures.py has the same for `mlpserve top`.
 * Rates, quantiles and shares are of the Look's time, totals since the server's start; NaN where nobody knows.
 */

import { byNumber, byText } from "./order.js";

export { versions } from "./versions.js";

/** Where a call's time goes, in order. */
export const STAGES = ["decode", "queue", "run", "encode"];
/** The quantiles that are shown, by their names in figures. */
export const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999 };
/** The codes that count against the server; all others but OK are the caller's. */
const SERVER_ERRORS = ["Unknown", "Internal", "Unavailable", "DataLoss", "DeadlineExceeded", "ResourceExhausted"];

const STARTED = "grpc_server_started_total";
const HANDLED = "grpc_server_handled_total";
const IN_PROGRESS = "grpc_server_calls_in_progress";
const SECONDS = "grpc_server_handling_seconds";

/** {ready, wanted (workers), since (when the server started, in seconds since 1970), seconds (the Look's time)}. */
export function head(look) {
  return {
    ready: look.value("mlpserve_workers_ready"),
    wanted: look.value("mlpserve_workers"),
    since: look.values("process_start_time_seconds", "worker").get("parent") ?? NaN,
    seconds: look.seconds,
  };
}

/**
 * All calls, or those of a method: {method, total, perSecond, errorsPerSecond, noServerError (share of those that
 * ended), p50, p90, p99, p999, inProgress}. An error is a call that ended with another code than OK.
 */
export function calls(look, method = "") {
  const labels = selector(method);
  const codes = look.increases(HANDLED, "grpc_code", labels);
  const ended = look.increase(HANDLED, labels);
  const failed = SERVER_ERRORS.reduce((sum, code) => sum + (codes.get(code) ?? 0), 0);
  return {
    method,
    total: look.total(STARTED, labels),
    perSecond: look.rate(STARTED, labels),
    errorsPerSecond: (ended - (codes.get("OK") ?? 0)) / look.seconds,
    noServerError: 1 - failed / ended,
    ...look.quantiles(QUANTILES, SECONDS, labels),
    inProgress: look.value(IN_PROGRESS, labels),
  };
}

/** Each method that has been called, by name, as `calls` has it. */
export function methods(look) {
  const [totals, inProgress] = [look.totals(STARTED, "grpc_method"), look.values(IN_PROGRESS, "grpc_method")];
  const called = [...totals, ...inProgress].filter(([, count]) => count).map(([method]) => method);
  return [...new Set(called)].sort(byText).map((method) => calls(look, method));
}

/** How calls ended, the most frequent first: {name (the code), total, perSecond}. */
export const codes = (look) => counts(look, HANDLED, "grpc_code");

/** Requests that could not be answered, the most frequent reason first: {name, total, perSecond}. */
export const rejected = (look) => counts(look, "mlpserve_rejected_requests_total", "reason");

/** Workers started in place of another, the most frequent reason first: {name, total, perSecond}. */
export const restarts = (look) => counts(look, "mlpserve_worker_restarts_total", "reason");

/** Images classified, by all models: {total, perSecond}. */
export function images(look) {
  return { total: look.total("mlpserve_images_total"), perSecond: look.rate("mlpserve_images_total") };
}

/** How many images and how many calls a run of a model had: {images: {mean, p50, p99}, calls: {mean, p50, p99}}. */
export function runs(look) {
  const sizes = (name) => ({
    mean: look.mean(name),
    // Quantiles of whole numbers may come out as fractions of one.
    p50: Math.max(look.quantile(0.5, name), 1),
    p99: Math.max(look.quantile(0.99, name), 1),
  });
  return { images: sizes("mlpserve_run_images"), calls: sizes("mlpserve_run_calls") };
}

/**
 * How near the limits are: {images, bytes, calls}, those queued and those in progress; each {now, limit, share}, of all
 * workers, but the share is that of the fullest worker.
 */
export function queue(look) {
  return {
    images: level(look, "mlpserve_queued_images", "mlpserve_max_queued_images"),
    bytes: level(look, "mlpserve_queued_bytes", "mlpserve_max_queued_bytes"),
    calls: level(look, IN_PROGRESS, "mlpserve_max_calls_in_progress"),
  };
}

/** Where the time of an answered call goes, in order, of all calls or of {model, version}: {stage, mean, p99}. */
export function stages(look, labels = {}) {
  return STAGES.map((stage) => ({
    stage,
    mean: look.mean("mlpserve_stage_seconds", { ...labels, stage }),
    p99: look.quantile(0.99, "mlpserve_stage_seconds", { ...labels, stage }),
  }));
}

/**
 * Each process: {worker, answers, cpu (cores in use), memoryBytes, files, callsPerSecond, inProgress, queuedImages}, by
 * number, then "parent" and "http". One that did not answer in time has no numbers.
 */
export function workers(look) {
  const numbers = {
    cpu: look.rates("process_cpu_seconds_total", "worker"),
    memoryBytes: look.values("process_resident_memory_bytes", "worker"),
    files: look.values("process_open_fds", "worker"),
    callsPerSecond: look.rates(STARTED, "worker"),
    inProgress: look.values(IN_PROGRESS, "worker"),
    queuedImages: look.values("mlpserve_queued_images", "worker"),
  };
  const answered = look.values("mlpserve_worker_answered", "worker");
  const names = new Set([...numbers.memoryBytes.keys(), ...answered.keys()]);
  return [...names].sort(byNumber).map((worker) => {
    const isSilent = answered.get(worker) === 0;
    const read = ([key, values]) => [key, isSilent ? NaN : (values.get(worker) ?? NaN)];
    return { worker, answers: !isSilent, ...Object.fromEntries(Object.entries(numbers).map(read)) };
  });
}

/**
 * How many calls took how long, of all, of a method or of a version {model, version}: [{low, high, count}], ascending,
 * the last up to Infinity.
 */
export function durations(look, method = "", version = null) {
  const [histogram, labels] = version ? ["mlpserve_prediction_seconds", version] : [SECONDS, selector(method)];
  let [low, below] = [0, 0];
  return look.buckets(histogram, labels).map(([high, upTo]) => {
    const bucket = { low, high, count: upTo - below };
    [low, below] = [high, upTo];
    return bucket;
  });
}

function selector(method) {
  return method ? { grpc_method: method } : {};
}

function counts(look, counter, key) {
  const rates = look.rates(counter, key);
  return [...look.totals(counter, key)]
    .filter(([, total]) => total)
    .map(([name, total]) => ({ name, total, perSecond: rates.get(name) ?? 0 }))
    .sort((left, right) => right.total - left.total || byText(left.name, right.name));
}

function level(look, used, limit) {
  const [now, limits] = [look.values(used, "worker"), look.values(limit, "worker")];
  const shares = [...limits].map(([worker, most]) => (now.get(worker) ?? 0) / most);
  return {
    now: look.value(used),
    limit: look.value(limit),
    share: shares.length ? Math.max(...shares) : NaN,
  };
}
