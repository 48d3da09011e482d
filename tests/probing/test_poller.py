from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from maglev.probing.poller import BATCH, MOST_UNREAD, Poller


@pytest.fixture
def poller() -> Iterator[Poller]:
    poller = Poller(time.monotonic_ns)
    yield poller
    poller.close()


class Heard:
    """A handler that notes what it hears and does what it is told."""

    def __init__(self, then: Callable[[], bool | None] = lambda: None) -> None:
        self.batch = 0
        self.events: list[int] = []
        self.then = then

    def ready(self, events: int) -> bool:
        self.events.append(events)
        return bool(self.then())


def readable_pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.send(b"x")
    return ours, theirs


def test_events_of_a_closed_descriptor_do_not_reach_the_next_owner_of_its_number(poller: Poller) -> None:
    sockets = [readable_pair(), readable_pair()]
    fresh: list[tuple[socket.socket, socket.socket]] = []
    successor = Heard()

    def replace_the_other(mine: int) -> Callable[[], None]:
        def replace() -> None:
            other = sockets[1 - mine][0]
            number = other.fileno()
            poller.forget(number)
            other.close()
            ours, theirs = socket.socketpair()
            moved = ours if ours.fileno() == number else theirs
            fresh.append((moved, theirs if moved is ours else ours))
            assert moved.fileno() == number
            poller.add(number, successor)

        return replace

    handlers = [Heard(replace_the_other(0)), Heard(replace_the_other(1))]
    for (ours, _), handler in zip(sockets, handlers, strict=True):
        poller.add(ours.fileno(), handler)
    poller.dispatch(100)
    assert sorted(len(handler.events) for handler in handlers) == [0, 1]  # whoever came first replaced the other
    assert successor.events == []
    poller.dispatch(100)
    assert len(successor.events) == 1  # its own: it can be written to
    for pair in [*sockets, *fresh]:
        for sock in pair:
            sock.close()


def test_a_forgotten_descriptor_is_heard_of_no_more(poller: Poller) -> None:
    ours, theirs = readable_pair()
    handler = Heard()
    poller.add(ours.fileno(), handler)
    poller.forget(ours.fileno())
    poller.dispatch(100)
    assert handler.events == []
    assert poller.watched == 0
    ours.close()
    theirs.close()


def test_a_handler_with_more_to_read_has_another_turn_and_no_more_than_one_a_turn(poller: Poller) -> None:
    ours, theirs = readable_pair()
    turns = iter([True, True, False])
    handler = Heard(lambda: next(turns))
    poller.add(ours.fileno(), handler)
    for heard in (1, 2, 3):
        poller.dispatch(100)
        assert len(handler.events) == heard
    assert not poller.busy
    assert len(set(handler.events)) == 1  # what was known of the socket's end is not forgotten
    ours.close()
    theirs.close()


def test_a_turn_is_bounded_and_silence_is_attested_only_when_all_were_heard(poller: Poller) -> None:
    pairs = [readable_pair() for _ in range(10)]
    handlers = [Heard() for _ in pairs]
    for (ours, _), handler in zip(pairs, handlers, strict=True):
        poller.add(ours.fileno(), handler)
    before_ns = time.monotonic_ns()
    assert poller.dispatch(4) is None
    after_ns = time.monotonic_ns()
    assert poller.busy
    assert sum(len(handler.events) for handler in handlers) == 4
    assert poller.dispatch(4) is None
    silent_since_ns = poller.dispatch(4)
    assert silent_since_ns is not None
    assert before_ns <= silent_since_ns <= after_ns  # what became ready since then was not heard
    assert all(len(handler.events) == 1 for handler in handlers)
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_a_full_batch_attests_nothing(poller: Poller) -> None:
    pairs = [readable_pair() for _ in range(BATCH + 1)]
    handler = Heard()
    for ours, _ in pairs:
        poller.add(ours.fileno(), handler)
    assert poller.dispatch(2 * BATCH) is None
    assert poller.dispatch(2 * BATCH) is not None
    assert len(handler.events) == BATCH + 1
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_silence_is_attested_only_when_a_shared_socket_was_read_dry(poller: Poller) -> None:
    ours, theirs = readable_pair()
    turns = iter([True, True, False])
    poller.add(ours.fileno(), Heard(lambda: next(turns)))
    assert [poller.dispatch(100) is None for _ in range(3)] == [True, True, False]
    ours.close()
    theirs.close()


def test_a_socket_that_never_runs_dry_does_not_keep_the_others_alive(poller: Poller) -> None:
    ours, theirs = readable_pair()
    poller.add(ours.fileno(), Heard(lambda: True))
    attested = [poller.dispatch(100) is not None for _ in range(3 * MOST_UNREAD)]
    assert sum(attested) == 3
    assert attested[MOST_UNREAD - 1]
    ours.close()
    theirs.close()


def test_the_timer_makes_the_poller_readable_again_and_again(poller: Poller) -> None:
    import select

    outer = select.poll()
    outer.register(poller.fd, select.POLLIN)
    for _ in range(3):
        assert poller.dispatch(10) is not None
        assert outer.poll(0) == []
        poller.timer.set(1_000_000)
        assert len(outer.poll(30_000)) == 1
    poller.timer.set(-5)
    assert len(outer.poll(30_000)) == 1
    poller.dispatch(10)
    poller.timer.set(50_000_000)
    poller.timer.stop()
    assert outer.poll(100) == []


def test_closing_twice_is_harmless() -> None:
    poller = Poller(time.monotonic_ns)
    poller.close()
    poller.close()
