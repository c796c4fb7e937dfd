"""Each row is handed over once, and calls in flight are known at any time."""

import threading

from harness.waiting import PATIENCE_SECONDS
from mlpserve.bench.load.recorder import N_COLUMNS, UNSENT, Recorder, read_rows

ROW = (1, 2, 3, 0, 1, 0)


def test_rows_are_taken_once() -> None:
    recorder = Recorder()
    recorder.begin(10)
    recorder.begin(10)
    recorder.end(ROW, 10)
    recorder.skip(7, 64)
    taken = recorder.take()
    assert read_rows(taken.rows).tolist() == [list(ROW), [7, 0, 0, UNSENT, 64, 0]]
    assert taken.in_flight == 1
    assert read_rows(recorder.take().rows).shape == (0, N_COLUMNS)
    assert recorder.begun == 2


def test_places_are_bounded_by_calls_and_bytes() -> None:
    recorder = Recorder()
    assert recorder.has_place(1, 1)
    recorder.begin(100)
    assert not recorder.has_place(1, 1000)
    assert not recorder.has_place(2, 100)
    assert recorder.has_place(2, 101)
    recorder.end(ROW, 100)
    assert recorder.has_place(1, 1)


def test_the_first_details_of_a_status_are_kept() -> None:
    recorder = Recorder()
    recorder.explain(14, "first")
    recorder.explain(14, "second")
    recorder.explain(8, "other")
    assert recorder.take().messages == {14: "first", 8: "other"}
    recorder.explain(14, "third")
    assert recorder.take().messages == {}


def test_who_waits_hears_of_the_last_end() -> None:
    recorder = Recorder()
    assert recorder.wait_until_idle()
    recorder.begin(1)
    assert not recorder.wait_until_idle(0.01)
    idle = threading.Event()

    def wait() -> None:
        assert recorder.wait_until_idle(PATIENCE_SECONDS)
        idle.set()

    thread = threading.Thread(target=wait)
    thread.start()
    recorder.end(ROW, 1)
    thread.join()
    assert idle.is_set()
