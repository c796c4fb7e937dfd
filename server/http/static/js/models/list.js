/** Questions to the list of models that /v1/models answers. */

const findModel = (models, model) => models?.models.find(({ name }) => name === model);

/** One version's entry, or undefined. */
export const findVersion = (models, model, version) =>
  findModel(models, model)?.versions.find((entry) => entry.version === version);

/** All versions; their labels have "newest" among them if calls that name no version get it. */
export const listVersions = (models) =>
  (models?.models ?? []).flatMap(({ name: model, default_version: newest, labels, versions }) =>
    versions.map((entry) => {
      const { version } = entry;
      const words = Object.keys(labels).filter((label) => labels[label] === version);
      if (version === newest) words.unshift("newest");
      return { model, version, title: `${model} ${version}`, labels: words.join(", "), entry };
    }),
  );

/** What answers: the chosen version while it is loaded, otherwise the default of its model or of the server. */
export function choose(models, model, version) {
  if (findVersion(models, model, version)?.is_loaded) return { model, version };
  const names = [model, models.default_model, ...models.models.map(({ name }) => name)];
  const found = names.map((name) => findModel(models, name)).find((entry) => entry?.default_version > 0);
  return { model: found?.name ?? "", version: found?.default_version ?? 0 };
}

/** What two lists differ in, as sentences. */
export function describeChanges(before, after) {
  const changes = listVersions(after).map(({ model, version, title, entry }) => {
    const earlier = findVersion(before, model, version);
    if (entry.is_loaded) return !earlier?.is_loaded && `${title} has been loaded.`;
    return earlier?.error !== entry.error && `${title} could not be loaded: ${entry.error}`;
  });
  const losses = listVersions(before).map(
    ({ model, version, title, entry }) =>
      entry.is_loaded && !findVersion(after, model, version)?.is_loaded && `${title} is no longer served.`,
  );
  return [...changes, ...losses].filter(Boolean);
}
