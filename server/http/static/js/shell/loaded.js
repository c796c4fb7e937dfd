/** Lists what the server has loaded, and why others are not. */

import { element } from "../elements.js";
import { labelsOf } from "../models/list.js";

export function start({ store, root }) {
  const summary = root.querySelector("#loaded-summary");
  const table = root.querySelector("#loaded-table");
  store.watch(["models"], () => {
    const models = store.get("models");
    if (!models) return;
    const versions = models.models.flatMap((model) => model.versions.map((entry) => ({ model: model.name, entry })));
    const failed = versions.filter(({ entry }) => !entry.is_loaded).length;
    const words = [`${versions.length - failed} ${versions.length - failed === 1 ? "version" : "versions"} loaded`];
    if (failed) words.push(`${failed} failed`);
    summary.textContent = words.join(", ");
    table.replaceChildren(
      element(
        "table",
        {},
        element("thead", {}, row("th", "Model", "Version", "Labels", "Neurons", "State")),
        element("tbody", {}, ...versions.map(({ model, entry }) => versionRow(models, model, entry))),
      ),
    );
  });
}

function row(kind, ...cells) {
  return element("tr", {}, ...cells.map((cell) => element(kind, {}, cell)));
}

function versionRow(models, model, entry) {
  const { version, is_loaded: isLoaded, error, layer_sizes: sizes } = entry;
  const words = isLoaded ? "loaded" : "failed";
  const badge = element("span", { className: `badge ${isLoaded ? "good" : "bad"}` }, words);
  const state = element("span", {}, badge, error ? ` ${error}` : "");
  return row("td", model, String(version), labelsOf(models, model, version).join(", "), sizes.join(", "), state);
}
