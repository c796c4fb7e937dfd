/** How long calls take: all of them, those of a method, or those of a version. */

import { stages as drawStages } from "../charts/stages.js";
import { durations, QUANTILES, stages } from "../data/figures.js";
import { startChoice } from "./choice.js";
import { addHeatmap, addLines } from "./panels.js";

const HANDLING = "grpc_server_handling_seconds";
const PREDICTION = "mlpserve_prediction_seconds";
const STAGE = "mlpserve_stage_seconds";

/** Returns a function that shows a View; `onChange` is called when other calls are chosen. */
export function startLatency(section, { onChange }) {
  const chosen = startChoice({ onChange });
  const duration = addLines(section, {
    title: "Duration",
    hint: "The time within which 50%, 90%, 99% and 99.9% of the calls are answered, from their arrival.",
    unit: "seconds",
    needs: `${HANDLING}_bucket`,
  });
  const heat = addHeatmap(section, {
    title: "Durations",
    hint: "How many calls took how long; a band that widens upwards is a queue.",
    needs: `${HANDLING}_bucket`,
  });
  const means = addLines(section, {
    title: "Where a call's time goes",
    hint: "Mean of answered calls: decode reads the message, queue waits, encode writes the answer.",
    needs: `${STAGE}_count`,
    draw: drawStages,
  });
  const slowest = addLines(section, {
    title: "Stages (p99)",
    hint: "99% of the answered calls spend no longer in the stage.",
    unit: "seconds",
    needs: `${STAGE}_bucket`,
  });

  return (view) => {
    const { key, method, version } = chosen(view);
    const [metric, labels] = version ? [PREDICTION, version] : [HANDLING, method ? { grpc_method: method } : {}];
    duration(view, (look) => named(look.quantiles(QUANTILES, metric, labels)), { key });
    heat(view, (look) => durations(look, method, version), { key });
    means(view, (look) => byStage(stages(look, version), "mean"), { key });
    slowest(view, (look) => byStage(stages(look, version), "p99"), { key });
  };
}

const named = ({ p999, ...others }) => ({ ...others, "p99.9": p999 });

const byStage = (found, number) => Object.fromEntries(found.map((one) => [one.stage, one[number]]));
