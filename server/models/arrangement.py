"""What the settings make of the loaded versions of a model: labels, traffic and shadow."""

from collections.abc import Container, Iterator, Mapping, Sequence

from server.models.model import Model
from server.models.passes import Failure, Key
from server.models.policy import MAX_PERCENT, Policies, Policy
from server.models.repository import Versions
from server.models.traffic import Shadowing, Split


def arrange(models: Mapping[int, Model], policy: Policy) -> Versions:
    """Return a model's loaded versions, arranged by its policy."""
    by_label = {
        label: models[version] for label, version in policy.labels.items() if version in models
    }
    targets = {**by_label, **{str(version): model for version, model in models.items()}}
    weights: dict[Model, int] = {}
    for target, weight in policy.weights.items():
        if target in targets:
            weights[targets[target]] = weights.get(targets[target], 0) + weight
    shadowing = [
        Shadowing(targets[target], percent / MAX_PERCENT)
        for target, percent in policy.shadow.items()
        if target in targets
    ]
    return Versions(models, by_label, models[max(models)], Split.from_weights(weights), *shadowing)


def awaited(
    on_disk: Mapping[str, Sequence[int]], known: Container[Key], policies: Policies
) -> Iterator[Key]:
    """Return the versions that are tried first, other than those that are known already."""
    for name, versions in on_disk.items():
        policy = policies.policy(name)
        newest = policy.choice.candidates(versions)[: policy.choice.count]
        for version in {*newest, *policy.labels.values()}.intersection(versions):
            if (name, version) not in known:
                yield name, version


def unchosen(
    on_disk: Mapping[str, Sequence[int]], known: Container[Key], policies: Policies
) -> dict[str, dict[int, str]]:
    """Return, by name and version, why versions that are neither loaded nor bad are not served."""
    reasons: dict[str, dict[int, str]] = {}
    for name, versions in on_disk.items():
        choice = policies.policy(name).choice
        reason = f"--versions ({choice}) does not include it, and no label points to it"
        if others := [version for version in versions if (name, version) not in known]:
            reasons[name] = dict.fromkeys(others, reason)
    return reasons


def unmet(by_name: Mapping[str, Versions], policies: Policies) -> list[str]:
    """Say which settings name a model or a version that is not loaded."""
    messages = [
        f"the settings name the model {name!r}, which is not loaded"
        for name in policies.named
        if name not in by_name
    ]
    for name, versions in by_name.items():
        policy = policies.policy(name)
        known = {*versions.by_label, *map(str, versions.by_number)}
        for setting, targets in (
            ("labels", policy.labels),
            ("traffic", policy.weights),
            ("shadow", policy.shadow),
        ):
            messages += [
                f"--{setting}: {name} has {target} {number}, and that version is not loaded"
                for target, number in targets.items()
                if target not in known
            ]
    return messages


def errors_of(
    failed: Mapping[Key, Failure], of_loaded: Mapping[Key, str], refused: Mapping[str, str]
) -> dict[str, dict[int, str]]:
    """Return, by name and version, why versions are not loaded, or what is wrong with those that
    are.
    """
    messages = dict(of_loaded) | {key: failure.message for key, failure in failed.items()}
    messages |= {(name, 0): message for name, message in refused.items()}
    errors: dict[str, dict[int, str]] = {}
    for (name, version), message in sorted(messages.items()):
        errors.setdefault(name, {})[version] = message
    return errors
