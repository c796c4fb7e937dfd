"""All rules: those of the protocol, and those of its extensions."""

from tests.conformance.rule import Rule, rules
from tests.conformance.rules import (
    batches,
    classification,
    configuration,
    errors,
    forms,
    health,
    infer,
    metadata,
    outputs,
    parameters,
    repository,
    scheduling,
    statistics,
    streams,
)

MODULES = (
    *(health, metadata, infer, outputs, forms, batches, errors, parameters, streams),
    *(statistics, configuration, repository, classification, scheduling),
)
RULES: list[Rule] = [
    one for module in MODULES for one in rules() if one.check.__module__ == module.__name__
]
"""Every rule, in the order of the protocol's sections."""
