/** Names in words. */

/** A version as data/figures.js has it, with the labels that point to it: "digits 2 (canary)". */
export function titleOf({ model, version, versionLabels }) {
  return `${model} ${version}${versionLabels.length ? ` (${versionLabels.join(", ")})` : ""}`;
}
