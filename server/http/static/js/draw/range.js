/** Between ink, 0 for background and 1 for what is drawn, and the numbers that a model takes. */

import { endsOf } from "../picture.js";
import { clamp } from "./raster.js";

/** The ends of the sliders for an input range: of all numbers, those that most standardised ones lie between. */
export const sliderEnds = (inputRange) => endsOf(inputRange) ?? [-3, 3];

/** Turns ink into a network's pixels and back; `isDark` when its ink is dark on a light background. */
export function scaleOf({ inputRange, imageLayout }) {
  const isDark = imageLayout?.ink === "dark";
  const ends = sliderEnds(inputRange);
  const [paper, ink] = isDark ? ends.reverse() : ends;
  return {
    isDark,
    // In steps that a byte can say: so the same image can be sent as bytes, and kept in a link.
    toPixels: (drawn) => Float32Array.from(drawn, (x) => paper + ((ink - paper) * Math.round(255 * x)) / 255),
    toInk: (pixels) => Float32Array.from(pixels, (x) => clamp((x - paper) / (ink - paper))),
  };
}
