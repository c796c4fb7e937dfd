"""One question at a time for all who wait for it, and what is made of workers' answers."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from harness.waiting import running_threads, wait_for
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1 import admin_pb2
from server.errors import NotLoaded, NotReady, Overloaded, RequestError, WrongState
from server.files.outcomes import Outcome, pack
from server.models import changes
from server.models.repository import Models
from server.models.served import Served
from server.rpc import admin
from server.rpc.inference import loading
from server.rpc.inference.asking import AskAll, Shared, ask_each
from server.rpc.inference.loading import Loading
from server.rpc.inference.statistics import add_up

WAIT_SECONDS = 60


def telling(*answers: tuple[int, bytes | None]) -> AskAll:
    return lambda _subject, _name, _seconds: answers


def silent(*_arguments: object) -> Sequence[tuple[int, bytes | None]]:
    raise TimeoutError


@pytest.mark.parametrize(
    ("ask_all", "words"),
    [
        (silent, "the server's parent process has not answered; again"),
        (telling((0, b""), (1, None)), "worker 1 has not answered within 2 s; again"),
        (telling((0, None), (1, None)), "workers 0, 1 have not answered within 2 s; again"),
    ],
)
def test_a_sum_that_lacks_a_worker_is_no_sum(ask_all: AskAll, words: str) -> None:
    with pytest.raises(NotReady, match=words) as failed:
        ask_each(ask_all, "x", "", 2, "again")
    assert failed.value.reason == "unanswered"


def test_no_worker_is_no_error() -> None:
    assert ask_each(telling(), "x", "", 2, "again") == []


def test_those_who_come_while_one_is_asked_share_the_next_question() -> None:
    began, may_end = threading.Semaphore(0), threading.Semaphore(0)
    asked: list[int] = []

    def ask() -> int:
        number = len(asked)
        asked.append(number)
        began.release()
        assert may_end.acquire(timeout=WAIT_SECONDS)
        return number

    shared, got = Shared(ask, 0.0), list[int]()

    def get() -> None:
        got.append(shared.get())

    with running_threads(1, get):
        assert began.acquire(timeout=WAIT_SECONDS)
        with running_threads(20, get):
            wait_for(lambda: threading.active_count() > 20 and shared._next is not None)
            may_end.release()
            assert began.acquire(timeout=WAIT_SECONDS)
            may_end.release(30)
    assert got.count(0) == 1
    assert len(asked) < 21
    assert shared.get() == len(asked) - 1, "who comes later gets a newer answer"


def test_an_error_is_everybody_s_and_not_for_ever() -> None:
    answers: list[Callable[[], str]] = []

    def ask() -> str:
        return answers.pop(0)()

    def fail() -> str:
        raise NotReady("unanswered", "nobody")

    shared = Shared(ask, 0.0)
    answers += [fail, lambda: "well"]
    with pytest.raises(NotReady, match="nobody"):
        shared.get()
    assert shared.get() == "well"


def test_one_question_follows_another_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    now, pauses = [100.0], list[float]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", pauses.append)
    shared = Shared(lambda: None, 0.5)
    for seconds in (0.0, 0.1, 0.7):
        now[0] += seconds
        shared.get()
    assert pauses == pytest.approx([0.0, 0.4, 0.0])


FINE, NONE, BAD, STOPS, ODD = (
    changes.Outcome(),
    changes.Outcome("model_not_found", "there is no 'a'; it holds: b", "b"),
    changes.Outcome("load_failed", "a 2 is bad"),
    changes.Outcome("not_ready", "the server is stopping"),
    changes.Outcome("internal", "internal error"),
)


@pytest.mark.parametrize(
    ("outcomes", "error", "words"),
    [
        ([NONE, NONE], NotLoaded, "^there is no 'a'; it holds: b$"),
        ([NONE, FINE], WrongState, "on worker 0: there is no 'a'; it holds: b; the other 1 succ"),
        ([BAD, BAD, FINE], WrongState, "on workers 0, 1: a 2 is bad; the other 1 succeeded"),
        ([FINE, BAD], WrongState, "on worker 1: a 2 is bad; the other 1 succeeded"),
        ([BAD, NONE], WrongState, "on worker 0: a 2 is bad; on worker 1: there is no"),
        ([ODD, FINE], WrongState, "on worker 0: internal error"),
        (
            [FINE, STOPS],
            NotReady,
            "on worker 1: the server is stopping; the other 1 succeeded; ask",
        ),
    ],
)
def test_workers_that_can_not_are_named(
    outcomes: list[changes.Outcome], error: type[RequestError], words: str
) -> None:
    answers = [(number, outcome.pack()) for number, outcome in enumerate(outcomes)]
    changing = Loading(Served(Models({}, None)), telling(*answers), is_watched=False)
    with pytest.raises(error, match=words):
        changing.load(protocol.RepositoryModelLoadRequest(model_name="a"))


def test_no_more_models_are_unloaded_than_new_workers_can_be_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "MAX_UNLOADED", 2)
    served = Served(Models({}, None, {"c": {1: "bad"}}, unloaded={"a": (), "b": ()}))
    asked: list[tuple[str, str]] = []

    def ask_all(subject: str, name: str, _seconds: float) -> list[tuple[int, bytes | None]]:
        asked.append((subject, name))
        return []

    changing = Loading(served, ask_all, is_watched=False)
    changing.unload(protocol.RepositoryModelUnloadRequest(model_name="a"))
    assert asked == [("unload", "a")]
    with pytest.raises(Overloaded, match="2 models are unloaded, the most that"):
        changing.unload(protocol.RepositoryModelUnloadRequest(model_name="c"))
    assert len(asked) == 1


def part(name: str, calls: int, sizes: dict[int, int], last: int) -> protocol.ModelStatistics:
    duration = protocol.StatisticDuration(count=calls, ns=10 * calls)
    compute = ("compute_input", "compute_infer", "compute_output")
    parts = ("success", "fail", "queue", *compute)
    return protocol.ModelStatistics(
        name=name,
        version="1",
        last_inference=last,
        inference_count=2 * calls,
        execution_count=sum(sizes.values()),
        inference_stats=protocol.InferStatistics(**dict.fromkeys(parts, duration)),
        batch_stats=[
            protocol.InferBatchStatistics(
                batch_size=size,
                **dict.fromkeys(compute, protocol.StatisticDuration(count=count, ns=count)),
            )
            for size, count in sizes.items()
        ],
    )


def test_counts_of_workers_are_added_up() -> None:
    workers: tuple[list[protocol.ModelStatistics], ...] = (
        [part("a", 3, {1: 1, 4: 2}, 50), part("b", 1, {1: 1}, 0)],
        [part("a", 5, {2: 1, 4: 3, 8: 1}, 40)],
        [],
    )
    found = add_up(
        protocol.ModelStatisticsResponse(model_stats=parts).SerializeToString() for parts in workers
    )
    assert found == {
        ("a", "1"): part("a", 8, {1: 1, 2: 1, 4: 5, 8: 1}, 50),
        ("b", "1"): part("b", 1, {1: 1}, 0),
    }


def test_a_reload_tells_how_it_went_on_all_workers() -> None:
    fine, bad, worse = Outcome("tokens", ""), Outcome("models", "a 2 is bad"), "line 3 is wrong"
    answers = (
        (0, [fine, bad, Outcome("certificate", "")]),
        (1, [Outcome("tokens", worse), bad, Outcome("certificate", "")]),
        (2, [Outcome("tokens", worse), bad, Outcome("certificate", "")]),
    )
    reload = admin.reload(telling(*((number, pack(outcomes)) for number, outcomes in answers)))
    found = {part.name: part.error for part in reload(admin_pb2.ReloadRequest()).parts}
    assert found == {
        "tokens": f"worker 1, 2: {worse}",
        "models": "a 2 is bad",
        "certificate": "",
    }
