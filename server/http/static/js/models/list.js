/** Questions to the list of models that /v1/models answers. */

/** One version's entry, or undefined. */
export function findVersion(models, model, version) {
  const entry = models?.models.find(({ name }) => name === model);
  return entry?.versions.find((candidate) => candidate.version === version);
}

/** All loaded versions, as {model, version, entry}. */
export function loadedVersions(models) {
  return (models?.models ?? []).flatMap(({ name, versions }) =>
    versions.filter((entry) => entry.is_loaded).map((entry) => ({ model: name, version: entry.version, entry })),
  );
}

/** What answers: the chosen version while it is loaded, otherwise the default of its model or of the server. */
export function choose(models, model, version) {
  if (findVersion(models, model, version)?.is_loaded) return { model, version };
  const usable = models.models.filter((candidate) => candidate.default_version > 0);
  const found =
    usable.find(({ name }) => name === model) ??
    usable.find(({ name }) => name === models.default_model) ??
    usable[0];
  return found ? { model: found.name, version: found.default_version } : { model: "", version: 0 };
}

/** What two lists differ in, as sentences. */
export function describeChanges(before, after) {
  if (!before) return [];
  const sentences = [];
  for (const { name, versions } of after.models) {
    for (const entry of versions) {
      const earlier = findVersion(before, name, entry.version);
      const title = `${name} ${entry.version}`;
      if (entry.is_loaded && !earlier?.is_loaded) sentences.push(`${title} has been loaded.`);
      else if (!entry.is_loaded && earlier?.error !== entry.error) {
        sentences.push(`${title} could not be loaded: ${entry.error}`);
      }
    }
  }
  for (const { model, version } of loadedVersions(before)) {
    if (!findVersion(after, model, version)?.is_loaded) sentences.push(`${model} ${version} is no longer served.`);
  }
  return sentences;
}

/** The version's labels, "newest" among them if calls that name no version get it. */
export function labelsOf(models, model, version) {
  const entry = models.models.find(({ name }) => name === model);
  const labels = Object.entries(entry.labels).filter(([, labelled]) => labelled === version).map(([label]) => label);
  return entry.default_version === version ? ["newest", ...labels] : labels;
}
