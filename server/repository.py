"""Models on disk, as NAME/VERSION/model.onnx: finds and loads the newest version of each."""

from dataclasses import dataclass
from pathlib import Path

from server.errors import NotLoaded, StartupError
from server.model import Model, load_model

FILE = "model.onnx"
PREFERRED = "digits"


@dataclass(frozen=True, slots=True)
class Models:
    """The loaded models by name, and the name that an empty one stands for, if any."""

    by_name: dict[str, Model]
    default: str | None

    def find(self, name: str, version: int) -> Model:
        """Return the model for a request; an empty name is the default model, version 0 the newest.

        Raises NotLoaded, saying what is loaded.
        """
        model = self.by_name.get(name or self.default or "")
        if model is None:
            loaded = ", ".join(sorted(self.by_name))
            asked = (
                f"model {name!r} is not loaded"
                if name
                else "no model is named and there is no default"
            )
            raise NotLoaded(
                "model_not_found", f"model: {asked}; name one of: {loaded}", {"models": loaded}
            )
        if version not in (0, model.version):
            raise NotLoaded(
                "version_not_found",
                f"version: model {model.name!r} has version {model.version} loaded, not {version}; "
                f"ask for {model.version}, or for 0 to get the newest",
                {"model": model.name, "versions": str(model.version)},
            )
        return model


def find_versions(repository: Path) -> dict[str, list[int]]:
    """Return each model's versions on disk, ascending; anything else there is passed over.

    Raises StartupError when the folder is missing or can't be read.
    """
    if not repository.is_dir():
        raise StartupError(
            f"the repository {repository} is not a folder; give --repository, or run `python -m "
            "exporter export` first"
        )
    found: dict[str, list[int]] = {}
    try:
        for file in repository.glob(f"*/*/{FILE}"):
            version, name = file.parent.name, file.parent.parent.name
            if version.isascii() and version.isdigit() and str(int(version)) == version != "0":
                found.setdefault(name, []).append(int(version))
    except OSError as error:
        raise StartupError(
            f"the repository {repository} can't be read: {error.strerror}"
        ) from error
    return {name: sorted(found[name]) for name in sorted(found) if not name.startswith(".")}


def load_newest(repository: Path, default: str) -> Models:
    """Load the newest version of every model.

    Raises StartupError when there is none, when one can't be served, or when `default` isn't among
    them.
    """
    versions = find_versions(repository)
    if not versions:
        raise StartupError(
            f"the repository {repository} holds no model (NAME/VERSION/{FILE}); run `python -m "
            "exporter export` first"
        )
    if default and default not in versions:
        raise StartupError(
            f"the default model {default!r} is not in {repository}; it holds: {', '.join(versions)}"
        )
    if not default:
        default = next(iter(versions)) if len(versions) == 1 else PREFERRED
    models = {
        name: load_model(repository / name / str(newest[-1]) / FILE, name, newest[-1])
        for name, newest in versions.items()
    }
    return Models(models, default if default in models else None)
