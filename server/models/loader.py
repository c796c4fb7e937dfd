"""Loads the versions that the policies choose, and keeps good ones when others fail."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import structlog

from modelfile.layout import FILE
from server.errors import ModelError, StartupError
from server.models.arrangement import arrange, unmet
from server.models.journal import Journal
from server.models.model import Model, load_model
from server.models.onnx.file import Stamp, stamp_of
from server.models.policy import Policies
from server.models.progress import Key, Progress
from server.models.repository import Listing, Models, Versions, list_models
from server.telemetry import metrics
from server.texts import listed, shown

log = structlog.get_logger()

PREFERRED = "digits"

Load = Callable[[Path, str, int], Model]
"""Loads a file as a version of a model; raises ModelError."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a version could not be loaded from the file that had this stamp.

    As text, since an exception would keep alive what its functions held, such as a model.
    """

    stamp: Stamp
    message: str
    reason: str


@dataclass(slots=True)
class Pass:
    """One pass over the repository: what is loaded so far, which of the wanted versions have
    failed, which are doubtful, and how many were tried.
    """

    loaded: dict[Key, Model]
    missed: set[Key] = field(default_factory=set)
    doubtful: dict[Key, Model] = field(default_factory=dict)
    tried: int = 0


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What to serve after a pass over the repository; `problems` says of each version that is
    wanted why it is not loaded, or why what is loaded is not what is on disk. `tried` counts
    attempts to load.
    """

    models: Models
    problems: Sequence[str] = ()
    tried: int = 0


class Loader:
    """Loads what is served next, and knows what has failed, so that each file is tried once until
    it changes.

    A version is served once its file passes its golden examples. A file that doesn't, such as one
    that is still being copied, replaces nothing: the next older version or the one loaded before
    stays. A model of which nothing on disk can be served any more keeps what it has; one that has
    nothing is served from a file whose weights differ from those that it promises. A file that was
    being loaded when a worker died is not tried again until it changes or a reload is requested.
    """

    def __init__(
        self,
        repository: Path,
        default: str,
        policies: Policies,
        load: Load = load_model,
        journal: Journal | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._repository, self._policies = repository, policies
        self._default: str | None = default or None
        self._load_model, self._journal = load, journal or Journal()
        self._progress = progress or Progress()
        self._failed: dict[Key, Failure] = {}
        self._warned: set[str] = set()

    def first(self) -> Refreshed:
        """Load for the first time.

        Raises StartupError when there is no model, or when the default one can't be served.
        """
        listing = list_models(self._repository)
        on_disk = listing.versions
        if not on_disk:
            raise StartupError(
                f"the repository {shown(self._repository)} holds no model (NAME/VERSION/{FILE}); "
                "run `python -m exporter export` first"
                + "".join(f"; {message}" for message in listing.passed_over[:1])
            )
        if self._default and self._default not in on_disk:
            raise StartupError(
                f"the default model {self._default!r} is not in {shown(self._repository)}; it "
                f"holds: {listed(on_disk, self._default)}"
            )
        default = self._default or (next(iter(on_disk)) if len(on_disk) == 1 else PREFERRED)
        refreshed = self._load(listing, default, {})
        served = refreshed.models.by_name
        can_start = served and (default in served or default not in on_disk)
        if self._journal.crashed and not can_start:
            # Without it there is nothing to lose, and the worker may have died of something else.
            self._journal.crashed.clear()
            self._failed.clear()
            refreshed = self._load(listing, default, _by_key(refreshed.models))
        if default in on_disk and default not in refreshed.models.by_name:
            self._explain(default, listing)
        if not refreshed.models.by_name:
            self._explain(next(iter(on_disk)), listing)
        # Models that appear later don't take its place.
        self._default = refreshed.models.default
        return refreshed

    def refresh(self, models: Models, retry: bool) -> Refreshed:
        """Load what has appeared or changed since `models` were loaded, and with `retry` what has
        failed before.

        Raises StartupError when the repository is gone.
        """
        listing = list_models(self._repository)
        if retry:
            self._failed.clear()
            self._journal.crashed.clear()
        return self._load(listing, self._default or PREFERRED, _by_key(models))

    def _explain(self, name: str, listing: Listing) -> None:
        """Raise a StartupError that says why a model can't be served."""
        versions = listing.versions[name]
        for version in reversed(versions):
            if failure := self._failed.get((name, version)):
                raise ModelError(failure.message, failure.reason)
        if refused := listing.refused.get(name):
            raise StartupError(refused)
        choice = self._policies.policy(name).choice
        raise StartupError(
            f"--versions: {name} is to have {choice}, and the repository "
            f"{shown(self._repository)} holds {', '.join(map(str, versions))}; ask for one of these"
        )

    def _load(self, listing: Listing, default: str, loaded: dict[Key, Model]) -> Refreshed:
        on_disk = listing.versions
        by_name: dict[str, Versions] = {}
        kept: dict[Key, Model] = {}
        gone: dict[Key, str] = {}
        current = Pass(loaded)
        self._progress.begin(self._awaited(listing, loaded))
        for name in sorted({*on_disk, *(name for name, _ in loaded)}):
            chosen = self._choose(current, name, on_disk.get(name, []))
            for version in chosen:
                kept[name, version] = current.loaded[name, version]
                if version not in on_disk.get(name, []):
                    gone[name, version] = shown(
                        f"{self._repository / name / str(version) / FILE} is gone; the version "
                        f"stays loaded, since nothing else of {name} can be"
                    )
            if chosen:
                models = {version: kept[name, version] for version in sorted(chosen)}
                by_name[name] = arrange(models, self._policies.policy(name))
        self._failed = {
            (name, version): failure
            for (name, version), failure in self._failed.items()
            if version in on_disk.get(name, ())
        }
        doubts = {key: model.doubt for key, model in kept.items() if model.doubt}
        known = (gone.values(), doubts.values(), listing.refused.values(), listing.passed_over)
        self._warn([*chain(*known), *unmet(by_name, self._policies)])
        messages = doubts | gone | {key: failure.message for key, failure in self._failed.items()}
        messages |= {(name, 0): message for name, message in listing.refused.items()}
        errors: dict[str, dict[int, str]] = {}
        for (name, version), message in sorted(messages.items()):
            errors.setdefault(name, {})[version] = message
        unserved = {
            name: {
                version: f"--versions ({self._policies.policy(name).choice}) does not choose it, "
                "and no label names it"
                for version in versions
                if (name, version) not in kept and (name, version) not in self._failed
            }
            for name, versions in on_disk.items()
        }
        missed = [
            self._failed[key].message for key in sorted(current.missed) if key in self._failed
        ]
        return Refreshed(
            Models(
                by_name,
                default if default in by_name else None,
                errors,
                unserved,
                are_shadowed=any(versions.shadowing for versions in by_name.values()),
                are_spread=any(versions.split for versions in by_name.values()),
            ),
            [*missed, *gone.values(), *listing.refused.values()],
            current.tried,
        )

    def _awaited(self, listing: Listing, loaded: Mapping[Key, Model]) -> Iterator[Key]:
        """Return the versions that a pass tries first, if they are neither loaded nor known to be
        bad.
        """
        for name, versions in listing.versions.items():
            policy = self._policies.policy(name)
            newest = policy.choice.candidates(versions)[: policy.choice.count]
            for version in {*newest, *policy.labels.values()}.intersection(versions):
                if (name, version) not in loaded and (name, version) not in self._failed:
                    yield name, version

    def _choose(self, current: Pass, name: str, on_disk: Sequence[int]) -> list[int]:
        """Return the versions to serve, all of them loaded; none when none can be had."""
        policy = self._policies.policy(name)
        chosen: list[int] = []
        for version in policy.choice.candidates(on_disk):
            if len(chosen) < policy.choice.count and self._have(current, name, version):
                chosen.append(version)
        for version in policy.labels.values():
            if version in on_disk and version not in chosen and self._have(current, name, version):
                chosen.append(version)
        chosen = chosen or [version for known, version in current.loaded if known == name]
        if not chosen and (doubtful := [key for key in current.doubtful if key[0] == name]):
            # Rather than nothing: its golden examples are right.
            key = max(doubtful)
            current.loaded[key] = current.doubtful[key]
            self._failed.pop(key, None)
            current.missed.discard(key)
            chosen = [key[1]]
        return chosen

    def _have(self, current: Pass, name: str, version: int) -> bool:
        """Whether a version is loaded, now or from before; loads it when its file is new."""
        key, path = (name, version), self._repository / name / str(version) / FILE
        loaded, failure = current.loaded.get(key), self._failed.get(key)
        try:
            # Before the file is read, so that a change meanwhile is noticed the next time.
            stamp = stamp_of(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            # Loading reports why.
            stamp = ()
        if loaded and loaded.stamp == stamp:
            self._failed.pop(key, None)
        elif failure is None or failure.stamp != stamp:
            self._try(current, path, key, stamp)
        if key in self._failed:
            current.missed.add(key)
        return key in current.loaded

    def _try(self, current: Pass, path: Path, key: Key, stamp: Stamp) -> None:
        """Load a version, or remember why that failed."""
        name, version = key
        current.tried += 1
        try:
            if self._journal.has_crashed(name, version, stamp):
                raise ModelError(
                    f"{shown(path)} was being loaded when a worker died, and is not tried again "
                    "until it changes, or a reload is asked for; is there enough memory?",
                    "crashed",
                )
            with self._journal.loading(name, version, stamp), self._progress.load(key):
                model = replace(self._load_model(path, name, version), stamp=stamp)
            if model.doubt:
                current.doubtful[key] = model
                raise ModelError(model.doubt, "weights")
        except ModelError as error:
            failure = Failure(stamp, shown(str(error)), error.reason)
        except Exception as error:
            # Whatever a damaged file causes, the server goes on.
            log.exception("loading failed")
            message = f"{path} can't be loaded ({type(error).__name__}: {error})"
            failure = Failure(stamp, shown(message), "internal")
        else:
            current.loaded[key] = model
            self._failed.pop(key, None)
            metrics.MODEL_LOADS.labels(name).inc()
            log.info(
                "model loaded",
                model=name,
                version=version,
                layer_sizes=list(model.layer_sizes),
                parameters=model.parameters,
                golden_difference=model.golden_difference,
                seconds=round(model.load_seconds, 4),
            )
            return
        self._failed[key] = failure
        metrics.MODEL_LOAD_FAILURES.labels(name, failure.reason).inc()
        log.error(
            "model not loaded",
            model=name,
            version=version,
            reason=failure.reason,
            message=failure.message,
        )

    def _warn(self, messages: Iterable[str]) -> None:
        """Log messages, each once while it holds."""
        current = set(messages)
        for message in sorted(current - self._warned):
            log.warning("repository problem", message=message)
        self._warned = current


def _by_key(models: Models) -> dict[Key, Model]:
    return {(model.name, model.version): model for model in models}
