/** Lists what the server has, and chooses what answers and what to compare it with. */

import { byId, element, setOptions } from "../elements.js";
import { choose, findVersion, listVersions } from "../models/list.js";

export function start({ store }) {
  const { model, version, comparison, caption, loadedSummary, loadedVersions } = byId;

  model.onchange = () => store.set(choose(store.state.models, model.value));
  version.onchange = () => store.set({ version: Number(version.value) });
  comparison.onchange = () => {
    const [name, number] = comparison.value.split(" ");
    store.set({ comparison: name ? { model: name, version: Number(number) } : null });
  };

  store.watch(["models", "model", "version", "comparison"], () => {
    const { models, model: name, version: number, comparison: compared } = store.state;
    const versions = listVersions(models);
    if (!models) return;
    const chosen = findVersion(models, name, number);
    const others = versions.filter(({ entry }) => entry !== chosen && entry.is_loaded && takesTheSame(entry, chosen));
    const current = compared ? `${compared.model} ${compared.version}` : "";
    setOptions(model, models.models.map(modelOption), name);
    setOptions(version, versions.filter((each) => each.model === name).map(versionOption), number);
    setOptions(comparison, [{ value: "", text: "Nothing" }, ...others.map(({ title }) => ({ text: title }))], current);
    comparison.disabled = !others.length;
    // It is no longer there.
    if (comparison.value !== current) store.set({ comparison: null });
    if (chosen?.is_loaded) caption.textContent = describe(chosen.layer_sizes);
    const failed = versions.filter(({ entry }) => !entry.is_loaded).length;
    const loaded = versions.length - failed;
    const problems = failed ? `, ${failed} failed` : "";
    loadedSummary.textContent = `${loaded} ${loaded === 1 ? "version" : "versions"} loaded${problems}`;
    loadedVersions.replaceChildren(...versions.map(createRow));
  });
}

function describe(sizes) {
  const knobs = sizes.slice(1).reduce((sum, size, k) => sum + size * (sizes[k] + 1), 0).toLocaleString("en");
  const listed = `${sizes.slice(0, -1).join(", ")} and ${sizes.at(-1)}`;
  return `A neural network of ${listed} neurons reads what you draw, by ${knobs} weights and biases.`;
}

const takesTheSame = (one, other) =>
  one.layer_sizes[0] === other?.layer_sizes[0] && one.input_range === other.input_range;

const modelOption = ({ name, default_version: usable }) =>
  ({ value: name, text: usable ? name : `${name} (failed)`, disabled: !usable });

function versionOption({ version, labels, entry }) {
  const words = entry.is_loaded ? labels : "failed";
  return { value: version, text: version + (words && ` (${words})`), disabled: !entry.is_loaded };
}

function createRow({ model, version, labels, entry }) {
  const [look, word] = entry.is_loaded ? ["good", "loaded"] : ["bad", "failed"];
  const state = element("td", {}, element("span", { className: `badge ${look}` }, word), ` ${entry.error}`);
  const cells = [model, version, labels, entry.layer_sizes.join(", ")];
  return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)), state);
}
