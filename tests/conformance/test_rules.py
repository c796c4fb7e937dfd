"""Each rule is kept by a correct server, and broken by one with a fault of its kind."""

from collections.abc import Iterator

import grpc
import pytest

from tests import generate_conformance_page
from tests.conformance.calls import Server
from tests.conformance.faults import FAULTS, MODEL
from tests.conformance.faulty import Faulty, serve
from tests.conformance.reference import MODELS, Reference
from tests.conformance.rule import Outcome, run
from tests.conformance.rule import rules as registered
from tests.conformance.rules import MODULES, RULES, repository
from tests.conformance.subject import Subject

OF_TEXTS = ("infer.half-precision-is-raw", "forms.broken-raw-texts-are-an-error")
"""What only a model of texts and FP16 can be asked."""

BY_NAME = {rule.name: rule for rule in RULES}


@pytest.fixture(scope="module")
def faulty() -> Iterator[Faulty]:
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def channel(faulty: Faulty) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(faulty.address) as opened:
        yield opened


@pytest.fixture(autouse=True)
def fresh(faulty: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "PATIENCE_SECONDS", 0.0)
    faulty.reference, faulty.faults = Reference(), ()


def subject_of(faulty: Faulty, channel: grpc.Channel, model: str) -> Subject:
    server = Server(channel, connect=lambda: grpc.insecure_channel(faulty.address))
    return Subject(server, model, may_change_models=True)


def test_correct_server_keeps_every_rule(faulty: Faulty, channel: grpc.Channel) -> None:
    passed: set[str] = set()
    for model in MODELS:
        for result in run(subject_of(faulty, channel, model), RULES):
            assert result.outcome is not Outcome.FAILED, (model, result.rule.name, result.reason)
            passed |= {result.rule.name} if result.outcome is Outcome.PASSED else set()
    assert passed == BY_NAME.keys()


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for name, faults in FAULTS.items() for number in range(len(faults))],
)
def test_rule_notices_the_fault(
    name: str, number: int, faulty: Faulty, channel: grpc.Channel
) -> None:
    faulty.faults = (FAULTS[name][number],)
    model = "texts" if name in OF_TEXTS else MODEL
    (result,) = run(subject_of(faulty, channel, model), [BY_NAME[name]])
    assert result.outcome is Outcome.FAILED, result.reason
    assert result.reason


def test_every_rule_has_a_fault() -> None:
    assert FAULTS.keys() == BY_NAME.keys()


def test_every_rule_belongs_to_a_module() -> None:
    assert len(RULES) == len(registered())
    assert {rule.check.__module__ for rule in RULES} == {module.__name__ for module in MODULES}


def test_every_rule_says_what_it_checks() -> None:
    assert not [rule for rule in RULES if not rule.section or not rule.sentence.endswith(".")]


def test_page_has_the_rules_of_the_code() -> None:
    page = generate_conformance_page
    assert page.PAGE.read_text() == page.head() + page.table(), (
        "run `.venv/bin/python -m tests.generate_conformance_page`"
    )
    assert f"{len(RULES)} rules" in page.head()
