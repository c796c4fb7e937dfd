/** Chooses the model and version that answer, and what to compare them with. */

import { setOptions } from "../elements.js";
import { findVersion, labelsOf, loadedVersions } from "../models/list.js";

export function start({ store, root }) {
  const [model, version, comparison] = ["#model", "#version", "#comparison"].map((id) => root.querySelector(id));
  const caption = root.querySelector("#caption");
  const find = (name) => store.state.models.models.find((entry) => entry.name === name);

  model.addEventListener("change", () => {
    store.set({ model: model.value, version: find(model.value).default_version });
  });
  version.addEventListener("change", () => store.set({ version: Number(version.value) }));
  comparison.addEventListener("change", () => {
    const [name, number] = comparison.value ? JSON.parse(comparison.value) : [];
    store.set({ comparison: name ? { model: name, version: number } : null });
  });

  store.watch(["models", "model", "version", "comparison"], () => {
    const { models, model: name, version: number, comparison: compared } = store.state;
    const chosen = findVersion(models, name, number);
    if (!chosen?.is_loaded) {
      for (const select of [model, version, comparison]) setOptions(select, [], "");
      if (compared) store.set({ comparison: null });
      return;
    }
    caption.textContent = describe(chosen.layer_sizes);
    setOptions(model, models.models.map(modelOption), name);
    setOptions(version, find(name).versions.map((entry) => versionOption(models, name, entry)), String(number));
    const options = loadedVersions(models)
      .filter(({ entry }) => entry !== chosen && takesTheSame(entry, chosen))
      .map((other) => ({
        value: JSON.stringify([other.model, other.version]),
        text: `${other.model} ${other.version}`,
      }));
    const current = compared && JSON.stringify([compared.model, compared.version]);
    const isThere = options.some(({ value }) => value === current);
    setOptions(comparison, [{ value: "", text: "Nothing" }, ...options], isThere ? current : "");
    comparison.disabled = options.length === 0;
    if (compared && !isThere) store.set({ comparison: null });
  });
}

function describe(sizes) {
  const knobs = sizes.slice(1).reduce((sum, size, k) => sum + size * (sizes[k] + 1), 0);
  const [last, ...others] = sizes.toReversed();
  const listed = `${others.toReversed().join(", ")} and ${last}`;
  return `A neural network of ${listed} neurons reads what you draw, by ${knobs.toLocaleString("en")} weights and biases.`;
}

function takesTheSame(one, other) {
  return one.layer_sizes[0] === other.layer_sizes[0] && one.input_range === other.input_range;
}

function modelOption({ name, default_version: usable }) {
  return { value: name, text: usable ? name : `${name} (failed)`, disabled: !usable };
}

function versionOption(models, model, { version, is_loaded: isLoaded }) {
  const words = isLoaded ? labelsOf(models, model, version) : ["failed"];
  return {
    value: String(version),
    text: words.length > 0 ? `${version} (${words.join(", ")})` : String(version),
    disabled: !isLoaded,
  };
}
