"""The thread that writes lines: who logs does not wait for who reads, and what is lost is told."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence

import pytest

from maglev.logs.writer import LogWriter, write_all

WITHIN_S = 30.0


class Reader:
    """Takes lines only while it is let."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.reads = threading.Event()
        self.asked = threading.Event()
        self.broken = False

    def __call__(self, lines: Sequence[bytes]) -> None:
        self.asked.set()
        assert self.reads.wait(WITHIN_S)
        if self.broken:
            raise OSError("no")
        self.lines += lines


def told(lost: int) -> bytes:
    return b"lost %d" % lost


@pytest.fixture
def reader() -> Iterator[Reader]:
    one = Reader()
    yield one
    one.reads.set()


def offer(writer: LogWriter, *numbers: int) -> list[bool]:
    return [writer.offer(lambda number=number: b"%d" % number) for number in numbers]  # type: ignore[misc]


def test_lines_are_written_in_their_order(reader: Reader) -> None:
    writer = LogWriter(reader, told)
    reader.reads.set()
    offer(writer, *range(1000))
    assert writer.close(WITHIN_S)
    assert reader.lines == [b"%d" % number for number in range(1000)]


def test_what_overflows_is_lost_and_told_where_it_would_stand(reader: Reader) -> None:
    writer = LogWriter(reader, told, most=10)
    offer(writer, 0)
    assert reader.asked.wait(WITHIN_S)  # what it holds counts as waiting
    assert offer(writer, *range(1, 15)) == [True] * 9 + [False] * 5
    reader.reads.set()
    while b"lost 5" not in reader.lines:
        pass
    offer(writer, 99)
    assert writer.close(WITHIN_S)
    assert reader.lines == [*(b"%d" % number for number in range(10)), b"lost 5", b"99"]
    assert writer.lost == 0


def test_an_overflow_is_told_also_if_nothing_is_logged_after_it(reader: Reader) -> None:
    writer = LogWriter(reader, told, most=1)
    offer(writer, 0, 1, 2)
    reader.reads.set()
    assert writer.close(WITHIN_S)
    assert reader.lines == [b"0", b"lost 2"]


def test_no_line_is_made_that_would_be_lost(reader: Reader) -> None:
    writer = LogWriter(reader, told, most=1)
    offer(writer, 0)
    assert not writer.offer(lambda: pytest.fail("made"))
    reader.reads.set()
    writer.close(WITHIN_S)


def test_the_end_does_not_wait_for_a_reader_that_does_not_read(reader: Reader) -> None:
    writer = LogWriter(reader, told)
    offer(writer, 0)
    assert not writer.close(0)
    assert offer(writer, 1) == [False]


def test_what_cannot_be_written_is_lost_and_told_once_something_can(reader: Reader) -> None:
    writer = LogWriter(reader, told)
    reader.broken = True
    offer(writer, 0)
    reader.reads.set()
    while not writer.lost:
        pass
    reader.broken = False
    offer(writer, 1)
    assert writer.close(WITHIN_S)
    assert reader.lines == [b"1", b"lost 1"]


def test_what_cannot_be_written_may_go_elsewhere(reader: Reader) -> None:
    elsewhere: list[bytes] = []
    writer = LogWriter(reader, told, failed=lambda lines, _error: elsewhere.extend(lines))
    reader.broken = True
    reader.reads.set()
    offer(writer, 0)
    assert writer.close(WITHIN_S)
    assert (elsewhere, writer.lost) == ([b"0"], 0)


def test_logging_from_a_finaliser_while_a_line_is_taken_does_not_lock_up(reader: Reader) -> None:
    writer = LogWriter(reader, told)
    reader.reads.set()
    with writer._state:  # as a collection that runs within does
        assert offer(writer, 0) == [True]
    assert writer.close(WITHIN_S)
    assert reader.lines == [b"0"]


def test_a_descriptor_that_was_made_non_blocking_gets_all_of_it() -> None:
    source, target = os.pipe()
    os.set_blocking(target, False)
    data = os.urandom(1024 * 1024)
    thread = threading.Thread(target=write_all, args=(target, data))
    thread.start()
    got = b""
    while len(got) < len(data):
        got += os.read(source, 65536)
    thread.join(WITHIN_S)
    assert got == data
    os.close(source)
    os.close(target)
