/** Names and times in words. */

/** A time of day, of seconds since 1970: "14:03:12". */
export const clockTime = (seconds) => new Date(1000 * seconds).toLocaleTimeString("en-GB");

/** A version as data/figures.js has it, with the labels that point to it: "digits 2 (canary)". */
export function titleOf({ model, version, versionLabels }) {
  return `${model} ${version}${versionLabels.length ? ` (${versionLabels.join(", ")})` : ""}`;
}
