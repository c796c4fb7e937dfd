/** How the processes do. */

import { formatBytes, formatCount, formatRate, formatShare } from "../charts/format.js";
import { restarts, workers } from "../data/figures.js";
import { addLines, addTable } from "./panels.js";

const HEADS = ["Worker", "CPU", "Memory", "Files", "Calls/s", "In progress", "Images queued", "State"];

/** Returns a function that shows a View. */
export function startWorkers(section) {
  const table = addTable(section, "Workers", "No worker is known.");
  const cpu = addLines(section, {
    title: "CPU by worker",
    hint: "Cores in use. A worker can use one: near 100% calls wait.",
    unit: "share",
    needs: "process_cpu_seconds_total",
  });
  const memory = addLines(section, {
    title: "Memory",
    hint: "Resident memory of each process.",
    unit: "bytes",
    needs: "process_resident_memory_bytes",
  });

  return (view) => {
    const reasons = restarts(view.now).map(({ name, total }) => `${name} ${formatCount(total)}`);
    const note = `Restarts by reason, since the server's start: ${reasons.join(", ") || "none"}.`;
    table({ heads: HEADS, rows: workers(view.now).map(cellsOf), note });
    cpu(view, (look) => Object.fromEntries(workers(look).map((one) => [one.worker, one.cpu])));
    memory(view, (look) => Object.fromEntries(workers(look).map((one) => [one.worker, one.memoryBytes])));
  };
}

function cellsOf({ worker, answers, cpu, memoryBytes, files, callsPerSecond, inProgress, queuedImages }) {
  const process = [formatShare(cpu), formatBytes(memoryBytes), formatCount(files)];
  const load = [formatRate(callsPerSecond), formatCount(inProgress), formatCount(queuedImages)];
  return [worker, ...process, ...load, answers ? "answers" : "does not answer"];
}
