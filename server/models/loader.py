"""Loads the versions that the policies choose, and keeps good ones when others fail."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import structlog

from modelfile.hints import command
from modelfile.layout import FILE
from server.errors import ModelError, NotLoaded, StartupError
from server.models.arrangement import arrange, awaited, errors_of, unchosen, unmet
from server.models.disk.folder import Clock, Folder
from server.models.disk.listing import Listing
from server.models.journal import Journal
from server.models.model import Model, load_model
from server.models.onnx.file import Stamp, stamp_of
from server.models.passes import (
    Failure,
    Key,
    Pass,
    Progress,
    Refreshed,
    note_failure,
    note_loaded,
)
from server.models.policy import Policies
from server.models.repository import Models
from server.texts import listed, quoted, shown

log = structlog.get_logger()

PREFERRED = "digits"

NOTHING = Models({}, None)

Load = Callable[[Path, str, int], Model]
"""Loads a file as a version of a model; raises ModelError."""


class Loader:
    """Loads the models to serve next, and remembers failures, so that each file is tried once until
    it changes.

    A version is served once its file passes its golden examples. A file that doesn't, such as one
    that is still being copied, replaces nothing: the next older version or the one loaded before
    stays. A model with nothing servable left on disk keeps its loaded versions; if it has none, it
    is served from a file whose weights differ from the promised ones. A file that was being loaded
    when a worker died is not tried again until it changes or a reload is requested. Models that are
    `unloaded` are left out until `load` is called for them. Versions that are gone from the disk
    are unloaded, at once when a reload is requested, or else when they stay away.
    """

    def __init__(
        self,
        repository: Path,
        default: str,
        policies: Policies,
        load: Load = load_model,
        journal: Journal | None = None,
        unloaded: Iterable[str] = (),
        progress: Progress | None = None,
        *,
        is_successor: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        """`default` is the default model's name, or empty; a successor of other workers gets it
        from them and, like them, does without that model when it is gone.
        """
        self._repository, self._policies = repository, policies
        self._folder = Folder(repository, clock)
        self._is_successor = is_successor
        self._default: str | None = default or None
        self._load_model, self._journal = load, journal or Journal()
        self._progress = progress or Progress()
        self._failed: dict[Key, Failure] = {}
        self._warned: set[str] = set()
        self._unloaded = set(unloaded)

    def first(self) -> Refreshed:
        """Load for the first time.

        Raises StartupError when there is no model, or when the default one can't be served.
        """
        listing = self._folder.list()
        on_disk = listing.versions
        if not on_disk:
            raise StartupError(
                f"the repository {shown(self._repository)} holds no model (NAME/VERSION/{FILE}); "
                f"run `{command('exporter export')}` first"
                + "".join(f"; {message}" for message in listing.passed_over[:1])
            )
        if self._default and self._default not in on_disk and not self._is_successor:
            raise StartupError(
                f"the default model {self._default!r} is not in {shown(self._repository)}; it "
                f"holds: {listed(on_disk, self._default)}"
            )
        is_alone = len(on_disk) == 1 and not self._is_successor
        default = self._default or (next(iter(on_disk)) if is_alone else PREFERRED)
        refreshed = self._load(listing, default, {})
        served = refreshed.models.by_name
        # What was unloaded need not be there.
        wanted = on_disk.keys() - self._unloaded
        can_start = not wanted or (served and (default in served or default not in wanted))
        if self._journal.crashed and not can_start:
            # Without it there is nothing to lose, and the worker may have died of something else.
            self._journal.crashed.clear()
            self._failed.clear()
            refreshed = self._load(listing, default, _by_key(refreshed.models))
        if default in wanted and default not in refreshed.models.by_name:
            self._explain(default, listing)
        if wanted and not refreshed.models.by_name:
            self._explain(min(wanted), listing)
        # Models that appear later don't take its place.
        self._default = self._default or refreshed.models.default
        return refreshed

    def refresh(self, models: Models, retry: bool) -> Refreshed:
        """Load what has appeared or changed since `models` were loaded, and with `retry` what has
        failed before; unload what is gone, with `retry` at once.

        Raises StartupError when the repository is gone.
        """
        listing = self._folder.list()
        if retry:
            self._failed.clear()
            self._journal.crashed.clear()
        loaded = _by_key(models)
        absent = set() if retry else self._folder.absent(loaded, listing)
        return self._load(listing, self._default or PREFERRED, loaded, absent=absent)

    def load(self, models: Models, name: str) -> Refreshed:
        """Load what has appeared or changed of one model since `models` were loaded, or has failed,
        and leave the others as they are.

        Raises NotLoaded when it is not in the repository, StartupError when that is gone.
        """
        self._unloaded.discard(name)
        listing = self._folder.list()
        if name not in listing.versions:
            known = listed(listing.versions, name)
            raise NotLoaded(
                "model_not_found",
                f"model_name: there is no {quoted(name)} in the repository; it holds: {known}",
                {"models": known},
            )
        self._failed = {key: failed for key, failed in self._failed.items() if key[0] != name}
        self._journal.forget(name)
        refreshed = self._load_one(listing, models, name)
        if name not in refreshed.models.by_name and not refreshed.problems:
            try:
                self._explain(name, listing)
            except StartupError as error:
                return replace(refreshed, problems=[str(error)])
        return refreshed

    def unload(self, models: Models, name: str) -> Refreshed:
        """Leave out one model from now on, and leave the others as they are."""
        self._unloaded.add(name)
        try:
            listing = self._folder.list()
        except StartupError:
            listing = Listing({}, {})
        return self._load_one(listing, models, name)

    def _load_one(self, listing: Listing, models: Models, name: str) -> Refreshed:
        loaded = {key: model for key, model in _by_key(models).items() if key[0] == name}
        others = replace(
            models,
            by_name={other: its for other, its in models.by_name.items() if other != name},
            errors={other: its for other, its in models.errors.items() if other != name},
            unserved={other: its for other, its in models.unserved.items() if other != name},
            unloaded={other: its for other, its in models.unloaded.items() if other != name},
        )
        part = replace(listing.only(name.__eq__), passed_over=())
        return self._load(part, self._default or PREFERRED, loaded, others)

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
            f"--versions: {name} should have {choice}, but the repository "
            f"{shown(self._repository)} holds {', '.join(map(str, versions))}; choose from these"
        )

    def _load(
        self,
        listing: Listing,
        default: str,
        loaded: dict[Key, Model],
        others: Models = NOTHING,
        absent: Collection[Key] = frozenset(),
    ) -> Refreshed:
        """Load what a listing has; `others` are models that it leaves out and that stay, `absent`
        are loaded versions that it lacks and that may come back.
        """
        unloaded = dict(others.unloaded)
        for name in self._unloaded - unloaded.keys():
            unloaded[name] = listing.versions.get(name, ())
        listing = listing.only(lambda name: name not in unloaded)
        on_disk = listing.versions
        loaded = {key: model for key, model in loaded.items() if key[0] not in unloaded}
        by_name = dict(others.by_name)
        kept: dict[Key, Model] = {}
        gone: dict[Key, str] = {}
        current = Pass(loaded, listing.unreadable)
        self._progress.begin(awaited(on_disk, {*loaded, *self._failed}, self._policies))
        for name in sorted({*on_disk, *(name for name, _ in loaded)}):
            there = {*on_disk.get(name, ()), *(number for other, number in absent if other == name)}
            chosen = self._choose(current, name, sorted(there))
            for version in chosen:
                kept[name, version] = current.loaded[name, version]
                if version not in there:
                    gone[name, version] = shown(
                        f"{self._repository / name / str(version) / FILE} is gone; the version "
                        "stays loaded, since "
                        + listing.unreadable.get(name, f"nothing else of {name} can be")
                    )
            if not chosen and name not in on_disk:
                log.warning(
                    "model retired",
                    model=name,
                    message=f"{shown(self._repository / name)} no longer holds a version",
                )
            if chosen:
                models = {version: kept[name, version] for version in sorted(chosen)}
                by_name[name] = arrange(models, self._policies.policy(name))
        self._failed = {
            (name, version): failure
            for (name, version), failure in self._failed.items()
            if version in on_disk.get(name, ()) or name in others.errors
        }
        doubts = {key: model.doubt for key, model in kept.items() if model.doubt}
        known = (gone.values(), doubts.values(), listing.refused.values(), listing.passed_over)
        messages = [*chain(*known), *unmet(by_name, self._policies)]
        self._warn(messages, is_all=others is NOTHING)
        missed = [
            self._failed[key].message for key in sorted(current.missed) if key in self._failed
        ]
        return Refreshed(
            Models(
                dict(sorted(by_name.items())),
                default if {default} & {*by_name, *unloaded, self._default} else None,
                {**errors_of(self._failed, doubts | gone, listing.refused), **others.errors},
                {**unchosen(on_disk, {*kept, *self._failed}, self._policies), **others.unserved},
                are_shadowed=any(versions.shadowing for versions in by_name.values()),
                are_spread=any(versions.split for versions in by_name.values()),
                unloaded=dict(sorted(unloaded.items())),
            ),
            [*missed, *gone.values(), *listing.refused.values()],
            current.tried,
            has_absent=bool(absent),
        )

    def _choose(self, current: Pass, name: str, on_disk: Sequence[int]) -> list[int]:
        """Return the versions to serve, all of them loaded; none if none can be loaded."""
        policy = self._policies.policy(name)
        chosen: list[int] = []
        for version in policy.choice.candidates(on_disk):
            if len(chosen) < policy.choice.count and self._have(current, name, version):
                chosen.append(version)
        for version in policy.labels.values():
            if version in on_disk and version not in chosen and self._have(current, name, version):
                chosen.append(version)
        has_missed = any(known == name for known, _ in current.missed)
        if not chosen and (has_missed or name in current.kept):
            chosen = [version for known, version in current.loaded if known == name]
        if not chosen and (doubtful := [key for key in current.doubtful if key[0] == name]):
            # Better than nothing: its golden examples are right.
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
            # It may come back.
            return key in current.loaded
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
                    f"{shown(path)} was being loaded when a worker died, and is not retried until "
                    "it changes or a reload is requested; is there enough memory?",
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
            # Whatever a damaged file causes, the server must go on.
            log.exception("loading failed")
            message = f"{path} can't be loaded ({type(error).__name__}: {error})"
            failure = Failure(stamp, shown(message), "internal")
        else:
            current.loaded[key] = model
            self._failed.pop(key, None)
            note_loaded(model)
            return
        self._failed[key] = failure
        note_failure(key, failure)

    def _warn(self, messages: Iterable[str], *, is_all: bool) -> None:
        """Log messages, each once while it applies; `is_all`: no others apply."""
        current = set(messages)
        for message in sorted(current - self._warned):
            log.warning("repository problem", message=message)
        self._warned = current if is_all else self._warned | current


def _by_key(models: Models) -> dict[Key, Model]:
    return {(model.name, model.version): model for model in models}
