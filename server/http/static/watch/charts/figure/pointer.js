/** The time that is pointed at, in all charts at once. */

import { drawAll } from "./canvas.js";

/** Seconds since the epoch, or null. */
export let pointed = null;

/** Point at a time in all charts; null at none. */
export function pointAt(time) {
  if (time === pointed) return;
  pointed = time;
  drawAll();
}

// What a finger has pointed at stays when it is lifted, until it is put down elsewhere.
document.addEventListener("pointerdown", ({ target }) => {
  if (!target.closest(".plot")) pointAt(null);
});
