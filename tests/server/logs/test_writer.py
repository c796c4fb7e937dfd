"""Lines are written in their order, or dropped and counted, whatever becomes of the descriptor."""

import errno
import os
import select
import threading
from collections.abc import Callable, Iterator

import pytest

from harness.waiting import wait_for
from server.logs import writer as log_writer
from server.logs.writer import MAX_BYTES, MAX_LINES, WRITE_BYTES, Writer

PATIENCE_SECONDS = 60.0


class Fake:
    """A descriptor that does what it is told: `act` gets what is to be written."""

    def __init__(self) -> None:
        self.written = b""
        self.attempts: list[bytes] = []
        self.act: Callable[[bytes], int] = len

    def write(self, _descriptor: int, content: bytes) -> int:
        self.attempts.append(content)
        count = self.act(content)
        self.written += content[:count]
        return count


def fail(number: int) -> Callable[[bytes], int]:
    def act(_content: bytes) -> int:
        raise OSError(number, os.strerror(number))

    return act


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def writer(fake: Fake) -> Writer:
    return Writer(2, lambda lost: b"lost %d\n" % lost, fake.write)


def flush(writer: Writer) -> None:
    assert writer.flush(PATIENCE_SECONDS)


def test_lines_are_written_in_their_order(fake: Fake, writer: Writer) -> None:
    lines = [b"line %d\n" % number for number in range(500)]
    for line in lines:
        writer.write(line)
    flush(writer)
    assert fake.written == b"".join(lines)
    assert max(map(len, fake.attempts)) <= WRITE_BYTES
    assert all(attempt.endswith(b"\n") for attempt in fake.attempts)
    assert writer.lost == 0


def test_a_long_line_is_written_alone(fake: Fake, writer: Writer) -> None:
    long = b"x" * 3 * WRITE_BYTES + b"\n"
    for line in (b"before\n", long, b"after\n"):
        writer.write(line)
    flush(writer)
    assert fake.written == b"before\n" + long + b"after\n"
    assert long in fake.attempts


@pytest.mark.parametrize(
    "number", [errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.ENXIO]
)
def test_what_fails_is_counted_and_told_when_it_works_again(
    fake: Fake, writer: Writer, number: int
) -> None:
    fake.act = fail(number)
    for _ in range(3):
        writer.write(b"never seen\n")
        flush(writer)
    assert writer.lost == 3
    assert fake.written == b""
    fake.act = len
    writer.write(b"seen\n")
    flush(writer)
    assert fake.written == b"seen\nlost 3\n"
    writer.write(b"and so on\n")
    flush(writer)
    assert fake.written == b"seen\nlost 3\nand so on\n"
    assert writer.lost == 3


def test_a_notice_that_fails_is_told_later(
    fake: Fake, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.act = fail(errno.EPIPE)
    writer.write(b"never seen\n")
    flush(writer)

    def takes_no_notices(content: bytes) -> int:
        return fail(errno.ENOSPC)(content) if content.startswith(b"lost") else len(content)

    fake.act = takes_no_notices
    writer.write(b"seen\n")
    flush(writer)
    fake.act = len
    writer.write(b"too\n")
    flush(writer)
    assert fake.written == b"seen\ntoo\nlost 1\n"


def test_losses_are_told_once_in_a_while_though_no_line_comes(
    fake: Fake, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "NOTICE_SECONDS", 0.05)
    writer.write(b"seen\n")
    flush(writer)
    writer.lost += 1
    writer.write(b"next\n")
    wait_for(lambda: b"lost 1\n" in fake.written)
    writer.lost += 1
    writer.write(b"last\n")
    wait_for(lambda: fake.written.count(b"lost 1\n") == 2)


def test_a_line_written_in_parts_is_whole(fake: Fake, writer: Writer) -> None:
    fake.act = lambda content: min(3, len(content))
    writer.write(b"a line in parts\n")
    writer.write(b"another\n")
    flush(writer)
    assert fake.written == b"a line in parts\nanother\n"
    assert writer.lost == 0


def test_the_line_after_a_torn_one_begins_anew(fake: Fake, writer: Writer) -> None:
    parts = iter([4])

    def tears(content: bytes) -> int:
        for part in parts:
            return part
        return fail(errno.ENOSPC)(content)

    fake.act = tears
    writer.write(b"torn\nwhatever\n")
    flush(writer)
    assert (fake.written, writer.lost) == (b"torn", 1)
    fake.act = len
    writer.write(b"whole\n")
    flush(writer)
    assert fake.written == b"torn\nwhole\nlost 1\n"


def test_only_lines_that_are_incomplete_are_lost(
    fake: Fake, writer: Writer, blocked: threading.Event
) -> None:
    # They wait together, and so are written together.
    for number in range(4):
        writer.write(b"line %d\n" % number)
    parts = iter([len(b"line 0\nline 1\nli")])

    def breaks(content: bytes) -> int:
        for part in parts:
            return part
        return fail(errno.EPIPE)(content)

    fake.act = breaks
    blocked.set()
    flush(writer)
    assert writer.lost == 2


def test_nothing_written_is_a_failure_and_no_loop(fake: Fake, writer: Writer) -> None:
    fake.act = lambda _content: 0
    writer.write(b"never seen\n")
    flush(writer)
    assert writer.lost == 1
    assert len(fake.attempts) == 1


@pytest.fixture
def blocked(fake: Fake, writer: Writer) -> Iterator[threading.Event]:
    """What lets a write go on that `writer` is stuck in; its queue is empty."""
    begun, go_on = threading.Event(), threading.Event()

    def waits(content: bytes) -> int:
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return len(content)

    fake.act = waits
    writer.write(b"first\n")
    assert begun.wait(PATIENCE_SECONDS)
    yield go_on
    go_on.set()


def test_what_has_no_room_is_counted(fake: Fake, writer: Writer, blocked: threading.Event) -> None:
    for _ in range(MAX_LINES + 7):
        writer.write(b"line\n")
    assert writer.lost == 7
    blocked.set()
    flush(writer)
    assert fake.written.count(b"lost 7\n") == 1
    assert fake.written.replace(b"lost 7\n", b"") == b"first\n" + b"line\n" * MAX_LINES
    # There is room again.
    writer.write(b"last\n")
    flush(writer)
    assert fake.written.endswith(b"last\n")


def test_bytes_that_wait_are_bounded(fake: Fake, writer: Writer, blocked: threading.Event) -> None:
    line = b"x" * (MAX_BYTES // 4 - 1) + b"\n"
    for _ in range(6):
        writer.write(line)
    assert writer.lost == 2
    blocked.set()
    flush(writer)
    for _ in range(4):
        writer.write(line)
        flush(writer)
    assert writer.lost == 2


def test_a_flush_waits_no_longer_than_it_should(writer: Writer, blocked: threading.Event) -> None:
    writer.write(b"line\n")
    assert not writer.flush(0.01)
    blocked.set()
    flush(writer)


def test_there_is_nothing_to_flush_before_the_first_line(writer: Writer) -> None:
    assert writer.flush(0)


def test_without_a_thread_to_be_had_lines_wait(
    fake: Fake, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr("_thread.start_new_thread", none)
        for _ in range(MAX_LINES + 2):
            writer.write(b"line\n")
    assert (fake.written, writer.lost) == (b"", 2)
    writer.write(b"dropped too\n")
    flush(writer)
    assert fake.written.count(b"line\n") == MAX_LINES


def test_an_error_nobody_thought_of_does_not_end_the_thread(fake: Fake, writer: Writer) -> None:
    errors = iter([MemoryError(), ValueError("of any kind")])

    def raises(content: bytes) -> int:
        for error in errors:
            raise error
        return len(content)

    fake.act = raises
    for _ in range(3):
        writer.write(b"line\n")
        wait_for(lambda: writer._queue.empty())
    flush(writer)
    assert fake.written == b"line\nlost 2\n"


def test_a_descriptor_that_does_not_block_is_waited_for() -> None:
    read_end, write_end = os.pipe()
    try:
        os.set_blocking(write_end, False)
        filled = 0
        while select.select([], [write_end], [], 0)[1]:
            filled += os.write(write_end, b"x" * 4096)
        writer = Writer(write_end)
        writer.write(b"a line\n")
        assert not writer.flush(0.05)
        found = b""
        while not found.endswith(b"a line\n"):
            found += os.read(read_end, 1 << 16)
        flush(writer)
        assert found == b"x" * filled + b"a line\n"
        assert writer.lost == 0
    finally:
        os.close(read_end)
        os.close(write_end)


def test_lines_of_many_threads_stay_whole(fake: Fake, writer: Writer) -> None:
    def talk(number: int) -> None:
        for _ in range(50):
            writer.write(b"%d" % number * 20 + b"\n")

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flush(writer)
    lines = fake.written.splitlines()
    assert len(lines) == 400
    assert all(len(line) == 20 and len(set(line)) == 1 for line in lines)
