/** Calls by method, and those that could not be answered. */

import { formatCount, formatDuration, formatRate, formatShare } from "../charts/format.js";
import { codes, methods, rejected } from "../data/figures.js";
import { addLines, addTable } from "./panels.js";

const HEADS = [
  ...["Method", "Calls/s", "Since the start", "Errors/s", "No server error"],
  ...["p50", "p90", "p99", "p99.9", "In progress"],
];
const HANDLED = "grpc_server_handled_total";
const REJECTED = "mlpserve_rejected_requests_total";

/** Returns a function that shows a View. */
export function startCalls(section) {
  const table = addTable(section, "Calls by method", "No calls since the workers started.");
  const errors = addLines(section, {
    title: "Errors by code",
    hint: "Calls per second that ended with a code other than OK.",
    unit: "rate",
    needs: HANDLED,
    none: "No call has ended with an error since the server's start.",
  });
  const reasons = addLines(section, {
    title: "Rejected requests by reason",
    hint: "Requests per second that could not be answered.",
    unit: "rate",
    needs: REJECTED,
    none: "No request has been rejected since the server's start.",
  });

  return (view) => {
    table({ heads: HEADS, rows: methods(view.now).map(cellsOf) });
    showCounts(errors, view, codes(view.now).filter(({ name }) => name !== "OK"), [HANDLED, "grpc_code"]);
    showCounts(reasons, view, rejected(view.now), [REJECTED, "reason"]);
  };
}

function cellsOf({ method, perSecond, total, errorsPerSecond, noServerError, p50, p90, p99, p999, inProgress }) {
  const counted = [formatRate(perSecond), formatCount(total)];
  const numbers = [...counted, formatRate(errorsPerSecond), formatShare(noServerError)];
  return [method, ...numbers, ...[p50, p90, p99, p999].map(formatDuration), formatCount(inProgress)];
}

/** Draw the rates of what has been counted, {name, total}, with the totals in words; `of` are metric and label. */
function showCounts(lines, view, counts, of) {
  const names = counts.map(({ name }) => name);
  const totals = counts.map(({ name, total }) => `${name} ${formatCount(total)}`).join(", ");
  function read(look) {
    const rates = look.rates(...of);
    return Object.fromEntries(names.map((name) => [name, rates.get(name) ?? 0]));
  }
  lines(view, read, { key: JSON.stringify(names), hint: `Since the start: ${totals}.` });
}
