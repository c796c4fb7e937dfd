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
    Object.assign(this, { range, marks });
    /** The Looks at the last seconds, and at all of the range; the figures of each version, of the first of them. */
    this.now = history.look(end - NOW_SECONDS, end);
    this.whole = history.look(end - range, end);
    this.versions = versions(this.now);
    /** When the range's steps end, and their Looks, null for those without. */
    this.times = steps.map((step) => step * width);
    this.looks = arrange(history.points(range, end), steps, width);
  }

  /** The figures in the range of the versions that have classified images in it. */
  get active() {
    return versions(this.whole).filter(({ images }) => images.perSecond > 0).slice(0, MAX_ACTIVE);
  }
}

/** Put Looks where their steps are; when a page came late, its Look is that of the step before, too. */
function arrange(points, steps, width) {
  const found = new Map(points.map(({ time, look }) => [Math.ceil(time / width), look]));
  const longest = Math.max(GAP_SECONDS, width);
  let later = null;
  return steps
    .toReversed()
    .map((step) => {
      const isCovered = later && later.seconds <= longest && later.time - later.seconds < step * width;
      return (later = found.get(step) ?? (isCovered ? later : null));
    })
    .reverse();
}
