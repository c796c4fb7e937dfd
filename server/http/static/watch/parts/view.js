/** What the sections show: the last seconds, and a range of time in steps that are evenly apart. */

import { versions } from "../data/figures.js";
import { GAP_SECONDS, MAX_POINTS } from "../data/history.js";

/** The time that numbers are of, as that of `mlpserve top`. */
export const NOW_SECONDS = 10;

/** The most versions that have lines of their own. */
const MAX_ACTIVE = 8;

export class View {
  /** Of a History up to `end`, in seconds since 1970; `marks` are those of the charts. */
  constructor(history, { range, end, marks }) {
    const width = range / MAX_POINTS;
    const last = Math.ceil(end / width);
    const steps = Array.from({ length: MAX_POINTS }, (_, k) => last - MAX_POINTS + 1 + k);
    this.marks = marks;
    /** The Looks at the last seconds, and at all of the range; the figures of each version, of the first of them. */
    this.now = history.look(end - NOW_SECONDS, end);
    this.whole = history.look(end - range, end);
    this.versions = versions(this.now);
    /** The figures in the range of the versions that were called in it, or classified the images of others. */
    this.active = versions(this.whole).filter(isActive).slice(0, MAX_ACTIVE);
    /** When the range's steps end, their Looks, and those of rates, which are null only where pages are missing. */
    this.times = steps.map((step) => step * width);
    const found = new Map(history.points(range, end).map(({ time, look }) => [Math.ceil(time / width), look]));
    this.looks = steps.map((step) => found.get(step) ?? null);
    this.rates = fill(this.looks, this.times, Math.max(GAP_SECONDS, width));
  }
}

const isActive = ({ perSecond, images }) => perSecond > 0 || images.perSecond > 0;

/** Where a page came late, and so in the step after, that one's Look is of this step as well. */
function fill(looks, times, longest) {
  let later = null;
  const filled = looks.toReversed().map((look, k) => {
    const isCovered = later && later.seconds <= longest && later.time - later.seconds < times.at(-1 - k);
    later = look ?? (isCovered ? later : null);
    return later;
  });
  return filled.reverse();
}
