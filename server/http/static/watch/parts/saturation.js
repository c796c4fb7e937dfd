/** How near the limits are: calls in progress, images and bytes that wait. */

import { formatBytes, formatCount } from "../charts/format.js";
import { queue } from "../data/figures.js";
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
  };
}
