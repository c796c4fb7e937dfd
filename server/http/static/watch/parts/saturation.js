/** How near the limits are: calls in progress, images and bytes that wait, and what is run together. */

import { formatBytes, formatCount, formatNumber } from "../charts/format.js";
import { queue, runs } from "../data/figures.js";
import { addLines } from "./panels.js";

const SHARE = { unit: "share", mode: "area" };

/** Returns a function that shows a View. */
export function startSaturation(section) {
  const calls = addLines(section, {
    ...SHARE,
    title: "Calls in progress, share of the limit",
    hint: "Of the fullest worker. At 100% further calls get ResourceExhausted.",
    needs: "mlpserve_max_calls_in_progress",
  });
  const images = addLines(section, {
    ...SHARE,
    title: "Images queued, share of the limit",
    hint: "Of the fullest worker, and of the bytes that wait. At 100% further calls get ResourceExhausted.",
    needs: "mlpserve_max_queued_images",
  });
  const imagesInRun = addLines(section, {
    title: "Images in a run",
    hint: "How many images the model classified together. Large runs are efficient, and let others wait.",
    unit: "number",
    needs: "mlpserve_run_images_count",
  });
  const callsInRun = addLines(section, {
    title: "Calls in a run",
    hint: "How many calls the model answered together. 1: nobody waits for anybody.",
    unit: "number",
    needs: "mlpserve_run_calls_count",
  });

  return (view) => {
    const now = queue(view.now);
    const inProgress = `Now ${formatCount(now.calls.now)} of ${formatCount(now.calls.limit)}, in all workers.`;
    const waiting = [
      `Now ${formatCount(now.images.now)} of ${formatCount(now.images.limit)} images`,
      `${formatBytes(now.bytes.now)} of ${formatBytes(now.bytes.limit)}, in all workers.`,
    ];
    calls(view, (look) => ({ calls: queue(look).calls.share }), { hint: inProgress });
    images(view, (look) => ({ images: queue(look).images.share, bytes: queue(look).bytes.share }), {
      hint: waiting.join(", "),
    });
    const sizes = runs(view.now);
    imagesInRun(view, (look) => runs(look).images, { hint: describe(sizes.images) });
    callsInRun(view, (look) => runs(look).calls, { hint: describe(sizes.calls) });
  };
}

function describe(sizes) {
  const words = Object.entries(sizes).map(([name, size]) => `${name} ${formatNumber(size)}`);
  return `Now ${words.join(", ")}.`;
}
