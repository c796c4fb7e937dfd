/** Which metrics the figures need, and by which of their labels; over all others they are added up. */

const VERSION = ["model", "version"];

/** What grows. Of a histogram, named here without its ending, there are a _sum, a _count and a _bucket by `le`. */
const COUNTERS = {
  grpc_server_started_total: ["worker", "grpc_method"],
  grpc_server_handled_total: ["grpc_method", "grpc_code"],
  mlpserve_rejected_requests_total: ["reason"],
  mlpserve_worker_restarts_total: ["reason"],
  mlpserve_images_total: VERSION,
  mlpserve_predictions_total: [...VERSION, "grpc_code"],
  mlpserve_predicted_labels_total: [...VERSION, "label"],
  mlpserve_drift_images_total: [...VERSION, "of", "bin"],
  mlpserve_shadow_images_total: VERSION,
  mlpserve_shadow_differing_images_total: VERSION,
  process_cpu_seconds_total: ["worker"],
};
const HISTOGRAMS = {
  grpc_server_handling_seconds: ["grpc_method"],
  mlpserve_prediction_seconds: VERSION,
  mlpserve_stage_seconds: [...VERSION, "stage"],
  mlpserve_run_images: [],
  mlpserve_run_calls: [],
  mlpserve_winning_activation: VERSION,
};

/** What goes up and down. */
const GAUGES = {
  mlpserve_workers: [],
  mlpserve_workers_ready: [],
  mlpserve_worker_answered: ["worker"],
  grpc_server_calls_in_progress: ["worker", "grpc_method"],
  mlpserve_max_calls_in_progress: ["worker"],
  mlpserve_queued_images: ["worker"],
  mlpserve_max_queued_images: ["worker"],
  mlpserve_queued_bytes: ["worker"],
  mlpserve_max_queued_bytes: ["worker"],
  process_resident_memory_bytes: ["worker"],
  process_open_fds: ["worker"],
  process_start_time_seconds: ["worker"],
};

/** What hardly ever changes, and is the same in all workers: the largest of these counts. */
const FACTS = {
  mlpserve_model_info: VERSION,
  mlpserve_version_label_info: [...VERSION, "version_label"],
  mlpserve_drift_reference_ratio: [...VERSION, "of", "bin"],
};

/** When a process began, by which those are told that begin anew. */
export const START = "process_start_time_seconds";

/** By the names of samples: {kind ("counters", "gauges" or "facts"), labels (names of those that are kept)}. */
export const KEPT = new Map([
  ...kept("counters", COUNTERS),
  ...Object.entries(HISTOGRAMS).flatMap(([name, labels]) => [
    ...kept("counters", { [`${name}_sum`]: labels, [`${name}_count`]: labels }),
    ...kept("counters", { [`${name}_bucket`]: [...labels, "le"] }),
  ]),
  ...kept("gauges", GAUGES),
  ...kept("facts", FACTS),
]);

function kept(kind, metrics) {
  return Object.entries(metrics).map(([name, labels]) => [name, { kind, labels }]);
}
