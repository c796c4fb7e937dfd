/** How near the limits are: calls in progress, images and bytes that wait; and how many run together. */

import { formatBytes, formatCount } from "../charts/format.js";
import { queue, runs } from "../data/figures.js";
import { addLines } from "./panels.js";

const SHARE = { unit: "share", mode: "area" };

/** Returns a function that shows a View. */
export function startSaturation(section) {
  const calls = addLines(section, {
    ...SHARE,
    title: "Calls in progress, share of the limit",
    hint: "Of the fullest worker; at 100% calls get ResourceExhausted.",
    needs: "mlpserve_max_calls_in_progress",
  });
  const images = addLines(section, {
    ...SHARE,
    title: "Images queued, share of the limit",
    hint: "Of the fullest worker, and of the bytes that wait.",
    needs: "mlpserve_max_queued_images",
  });
  const runImages = addLines(section, {
    unit: "number",
    title: "Images in a run",
    hint: "How many images the model classified together; large runs are efficient, and let others wait.",
    needs: "mlpserve_run_images_count",
  });
  const runCalls = addLines(section, {
    unit: "number",
    title: "Calls in a run",
    hint: "How many calls the model answered together. 1: nobody waits for anybody.",
    needs: "mlpserve_run_calls_count",
  });

  return (view) => {
    const now = queue(view.now);
    const inProgress = `Now ${formatCount(now.calls.now)} of ${formatCount(now.calls.limit)}.`;
    const waiting = [
      `Now ${formatCount(now.images.now)} of ${formatCount(now.images.limit)} images`,
      `${formatBytes(now.bytes.now)} of ${formatBytes(now.bytes.limit)}.`,
    ];
    calls(view, (look) => ({ calls: queue(look).calls.share }), { hint: inProgress });
    images(view, (look) => ({ images: queue(look).images.share, bytes: queue(look).bytes.share }), {
      hint: waiting.join(", "),
    });
    runImages(view, (look) => runs(look).images);
    runCalls(view, (look) => runs(look).calls);
  };
}
