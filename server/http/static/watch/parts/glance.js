/** The most important numbers, with what has been counted since the server's start below each. */

import { byId, element, say } from "../../js/elements.js";
import { formatCount, formatDuration, formatPerSecond, formatShare } from "../charts/format.js";
import { tile } from "../charts/tile.js";
import { calls, codes, head, images } from "../data/figures.js";

/** The objectives of deploy/grafana/slo.py. */
const NO_SERVER_ERROR = 0.999;
const P99_SECONDS = 0.005;

/** What stands in the tiles, by numbers {calls, images, errors, head}. */
const TILES = [
  ({ calls: { perSecond, total } }) => ({ title: "Calls", ...counted(perSecond, total) }),
  ({ images: { perSecond, total } }) => ({ title: "Images", ...counted(perSecond, total) }),
  ({ calls: { noServerError }, errors }) => ({
    title: "No server error",
    value: formatShare(noServerError),
    detail: `${formatCount(errors)} errors since the start`,
    state: noServerError < NO_SERVER_ERROR ? "bad" : "",
  }),
  ({ calls: { p50 } }) => ({ title: "p50", value: formatDuration(p50), detail: "half take no longer" }),
  ({ calls: { p99 } }) => ({
    title: "p99",
    value: formatDuration(p99),
    detail: `objective ${formatDuration(P99_SECONDS)}`,
    state: p99 > P99_SECONDS ? "bad" : "",
  }),
  ({ head: { ready, wanted } }) => ({
    title: "Workers missing",
    value: formatCount(wanted - ready),
    detail: `${formatCount(ready)} of ${formatCount(wanted)} ready`,
    state: ready < wanted ? "bad" : "",
  }),
];

const counted = (perSecond, total) => ({
  value: formatPerSecond(perSecond),
  detail: `${formatCount(total)} since the start`,
});

/** Returns a function that shows a View. */
export function startGlance(section) {
  const places = TILES.map(() => element("div"));
  section.querySelector(".tiles").append(...places);
  return ({ now }) => {
    const failed = codes(now).filter(({ name }) => name !== "OK");
    const errors = failed.reduce((sum, { total }) => sum + total, 0);
    const numbers = { calls: calls(now), images: images(now), head: head(now), errors };
    for (const [k, place] of places.entries()) tile(place, TILES[k](numbers));
    say(byId.summary, describe(numbers.head));
  };
}

const UNITS = [[86_400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

function describe({ since }) {
  const seconds = Math.max(1, Date.now() / 1000 - since);
  const [size, name] = UNITS.find(([one]) => seconds >= one);
  const count = Math.floor(seconds / size);
  // Sweden writes times as the log does.
  const time = new Date(1000 * since).toLocaleString("sv-SE");
  return `Running for ${count} ${name}${count === 1 ? "" : "s"}, since ${time}.`;
}
