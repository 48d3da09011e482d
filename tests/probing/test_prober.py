from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from maglev.api import Checker, Code, Done, MuxChecker, ProbeResult, StreamChecker, Target
from maglev.probing import Job, shape_of
from tests.probing.support import Scripted, Stopped, connections_to, hold, job_of, open_fds, probing, says, server

CONNECTED = Done(ProbeResult(Code.L4OK))
FOREVER_NS = 10**15
SECOND_NS = 1_000_000_000


@pytest.fixture
def listener() -> Iterator[int]:
    """A port where connections are made, and never taken up."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock:
        yield sock.getsockname()[1]


# Jobs


async def test_a_job_is_added_once(listener: int) -> None:
    job = job_of(Scripted(), listener)
    async with probing(job) as watch:
        with pytest.raises(ValueError, match="probed already"):
            watch.prober.add(job, 0)
        assert list(watch.prober.jobs) == [job]


async def test_a_checker_must_have_one_of_the_three_shapes(listener: int) -> None:
    class Shapeless(Checker):
        name = "shapeless"

    async with probing() as watch:
        with pytest.raises(TypeError, match="shapeless"):
            watch.prober.add(job_of(Shapeless(None), listener), 0)
        assert not watch.prober.jobs
    with pytest.raises(TypeError, match="shapeless"):
        shape_of(Shapeless(None))


def test_the_shape_of_a_checker_can_be_told_without_a_prober() -> None:
    assert shape_of(Scripted()) is StreamChecker
    assert shape_of(Stopped()) is MuxChecker


async def test_a_job_is_named_for_its_checker_unless_it_says_otherwise(listener: int) -> None:
    assert job_of(Scripted(), listener).check_type == "scripted"
    assert Job("a", Scripted(), Target("a", job_of(Scripted(), 1).target.address), "redis").check_type == "redis"


async def test_a_job_can_be_added_while_others_run(listener: int) -> None:
    async with probing(job_of(Scripted(CONNECTED), listener)) as watch:
        await watch.results(2)
        late = job_of(Scripted(CONNECTED), listener)
        watch.prober.add(late, 0)
        await watch.until(lambda: watch.of(late))


async def test_a_sleeping_prober_is_woken_by_a_new_job(listener: int) -> None:
    async with probing() as watch:
        await anyio.wait_all_tasks_blocked()
        watch.prober.add(job_of(Scripted(CONNECTED), listener), 0)
        await watch.results(1)
        watch.prober.add(job_of(Scripted(CONNECTED), listener), 0)
        await watch.results(2)


async def test_a_removed_job_is_silent_and_its_connection_gone_at_once() -> None:
    seen: list[str] = []

    def handle(connection: socket.socket) -> None:
        connection.recv(100)
        seen.append("question")
        try:
            connection.recv(100)
        except ConnectionResetError:
            seen.append("reset")

    async with server(handle) as port, probing() as watch:
        job = job_of(Scripted(b"hello"), port, timeout_ns=FOREVER_NS)
        other = job_of(Scripted(CONNECTED), port)
        watch.prober.add(job, 0)
        watch.prober.add(other, 0)
        await watch.until(lambda: seen)
        watch.prober.remove(job)
        watch.prober.remove(job)  # nothing more
        assert watch.prober.running <= 1
        await watch.until(lambda: "reset" in seen)
    assert watch.of(job) == []


async def test_a_job_may_be_removed_by_its_own_result_and_added_again(listener: int) -> None:
    job = job_of(Scripted(CONNECTED), listener)
    async with probing(job) as watch:

        def again(ended: Any) -> None:
            watch.prober.remove(job)
            watch.prober.add(job, 0)

        watch.then = again
        await watch.results(5)
        watch.then = lambda ended: watch.prober.remove(job)
        await watch.until(lambda: not watch.prober.jobs)


async def test_a_job_may_be_removed_by_its_own_start(listener: int) -> None:
    jobs = [job_of(Scripted(b"x"), listener), job_of(Scripted(b"x"), 1, netns="none"), job_of(Stopped(), None)]
    async with probing(*jobs) as watch:
        gone = anyio.Event()

        def remove(job: Job, started_ns: int) -> None:
            watch.prober.remove(job)
            if not watch.prober.jobs:
                gone.set()

        watch.report_starts(remove)
        with anyio.fail_after(30):
            await gone.wait()
        assert watch.prober.running == 0
    assert watch.ended == []


async def test_a_job_may_remove_others_that_start_in_the_same_batch(listener: int) -> None:
    jobs = [job_of(Scripted(CONNECTED), 1, netns="no-such-netns") for _ in range(10)]
    jobs += [job_of(Scripted(b"x"), listener, timeout_ns=FOREVER_NS) for _ in range(10)]

    def only(ended: Any) -> None:
        for job in jobs:
            if job is not ended.job:
                watch.prober.remove(job)

    async with probing(*jobs) as watch:
        watch.then = only
        await watch.results(3)
        assert len(watch.prober.jobs) == 1
    assert len({id(ended.job) for ended in watch.ended}) == 1


async def test_a_swapped_job_starts_when_the_old_one_would_have(listener: int) -> None:
    old, new = job_of(Scripted(CONNECTED), listener), job_of(Scripted(CONNECTED), listener)
    async with probing(old, interval_ns=FOREVER_NS) as watch:
        await watch.results(1)
        due_ns = watch.prober._jobs[old].due_ns
        watch.prober.swap(old, new)
        assert watch.prober._jobs[new].due_ns == due_ns
        assert list(watch.prober.jobs) == [new]
        watch.prober.probe_now(new)
        await watch.results(2)
    assert [ended.job for ended in watch.ended] == [old, new]


async def test_a_job_swapped_while_it_runs_is_silent_and_the_new_one_starts(listener: int) -> None:
    old = job_of(Scripted(b"x"), listener, timeout_ns=FOREVER_NS)
    new = job_of(Scripted(CONNECTED), listener)
    async with probing(old) as watch:
        begun = anyio.Event()
        watch.report_starts(lambda job, started_ns: begun.set())
        await begun.wait()
        watch.prober.swap(old, new)
        await watch.results(1)
    assert {ended.job for ended in watch.ended} == {new}


async def test_swapping_a_stranger_is_an_error(listener: int) -> None:
    async with probing() as watch:
        with pytest.raises(KeyError):
            watch.prober.swap(job_of(Scripted(), listener), job_of(Scripted(), listener))
        assert not watch.prober.jobs


async def test_a_probe_can_be_asked_for_out_of_turn(listener: int) -> None:
    job = job_of(Scripted(CONNECTED), listener)
    async with probing(job, interval_ns=FOREVER_NS) as watch:
        for count in (1, 2, 3):
            await watch.results(count)
            watch.prober.probe_now(job)
        watch.prober.probe_now(job_of(Scripted(), listener))  # a stranger: nothing


async def test_a_probe_under_way_is_not_started_twice(listener: int) -> None:
    job = job_of(Scripted(b"x"), listener)
    async with probing(job, interval_ns=FOREVER_NS) as watch:
        watch.report_starts(lambda job, started_ns: watch.prober.probe_now(job))
        await watch.results(1)
        assert watch.prober.stats.started == 1


# Callbacks


async def test_starts_are_told_while_somebody_watches(listener: int) -> None:
    job = job_of(Scripted(CONNECTED), listener)
    starts: list[int] = []
    async with probing(job) as watch:
        watch.report_starts(lambda job, started_ns: starts.append(started_ns))
        await watch.results(3)
        watch.report_starts(None)
        seen = len(starts)
        await watch.results(6)
    assert len(starts) == seen
    assert starts == [ended.started_ns for ended in watch.ended[:seen]]
    assert all(ended.result.duration_ns == ended.ended_ns - ended.started_ns for ended in watch.ended)


async def test_a_callback_that_raises_stops_nobody(listener: int) -> None:
    def explode(*_: object) -> None:
        raise KeyError("oh")

    async with probing(job_of(Scripted(CONNECTED), listener), job_of(Scripted(CONNECTED), listener)) as watch:
        await watch.results(2)  # from here on the last interval is known
        watch.then = explode
        watch.report_starts(explode)
        await watch.results(10)
    assert 1 <= len(watch.warnings) <= 2


async def test_figures_are_kept(listener: int) -> None:
    async with probing(job_of(Scripted(CONNECTED), listener), job_of(Scripted(), 1, netns="no-such-netns")) as watch:
        await watch.results(10)
        stats = watch.prober.stats
        assert stats.ended == len(watch.ended)
        assert stats.started - stats.ended == watch.prober.running
        assert stats.voided == watch.codes.count(Code.NETNS)
        assert sum(stats.lateness) == stats.started
        assert 1 <= stats.lateness_ms(0.5) <= stats.lateness_ms(0.99)


# Life


async def test_nothing_is_left_of_a_prober_that_was_cancelled_in_full_swing(listener: int) -> None:
    jobs = [job_of(Scripted(b"x"), listener, timeout_ns=FOREVER_NS) for _ in range(100)]
    async with probing(*jobs, job_of(Stopped(), None, timeout_ns=FOREVER_NS)) as watch:
        begun: set[Job] = set()
        all_begun = anyio.Event()

        def note(job: Job, started_ns: int) -> None:
            begun.add(job)
            if len(begun) == 101:
                all_begun.set()

        watch.report_starts(note)
        with anyio.fail_after(30):
            await all_begun.wait()
        assert watch.prober.running == 101
        assert await anyio.to_thread.run_sync(connections_to, listener) == 100
    assert watch.prober.running == 0
    # Not all sockets of the process: threads of tests before this one close theirs, and open others, when they like.
    assert await anyio.to_thread.run_sync(connections_to, listener) == 0
    await watch.prober.aclose()


async def test_nothing_piles_up_over_many_probes(listener: int) -> None:
    jobs = [job_of(Scripted(CONNECTED), listener), job_of(Scripted(CONNECTED), 1), job_of(Scripted(b"x"), 1)]
    async with probing(*jobs, interval_ns=1) as watch:
        await watch.results(20)
        before = await anyio.to_thread.run_sync(open_fds)
        await watch.results(300)
        after = await anyio.to_thread.run_sync(open_fds)
        assert abs(len(after) - len(before)) <= len(jobs)
        prober = watch.prober
        assert prober._poller.watched <= len(jobs)
        assert sum(map(len, prober._schedule._deadlines._slots.values())) <= len(jobs)
        assert sum(map(len, prober._schedule._starts._slots.values())) <= len(jobs)


async def test_thousands_of_silent_backends_delay_no_other() -> None:
    async with server(hold) as silent, server(says(b"ok\n")) as calm:
        hanging = [job_of(Scripted(b"x"), silent, timeout_ns=FOREVER_NS) for _ in range(200)]
        other = job_of(Scripted(), calm, timeout_ns=20 * SECOND_NS)
        async with probing(*hanging, other) as watch:
            await watch.until(lambda: len(watch.of(other)) >= 10)
    assert {result.code for result in watch.of(other)} == {Code.L7OK}
