"""Measures the dashboard: 500 frontends of 10 backends, 200 events a second for a minute, one Chromium watching.

A daemon of that size is played by a client without gRPC, so that only the dashboard is measured: `make bench`, or
`python benchmarks/bench_web.py [seconds]`. Chromium is left out where there is none.
"""

from __future__ import annotations

import itertools
import random
import resource
import sys
import threading
import time
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import attrs
from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from maglev import api
from maglev.listening import listen
from maglev_grpc.convert import Info, event_message, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed import Broker, Daemon, Daemons
from maglev_web.http import create_app
from maglev_web.options import Settings
from maglev_web.serve import BACKLOG, Server, configuration
from plugins.maglev_web.tests.browsing import CHROMIUM, chromium, opened
from plugins.maglev_web.tests.serving import snapshot
from plugins.maglev_web.tests.test_web_state import backend, frontend, member

FRONTENDS, BACKENDS, EVENTS_A_SECOND = 500, 10, 200
UP, DOWN = api.BackendState.UP, api.BackendState.DOWN
REFUSED = api.ProbeResult(api.Code.L4CON, "Connection refused")


class Large:
    """A client of a large daemon, in which backends go down and come back."""

    def __init__(self) -> None:
        self.states = {f"b{number:04}": UP for number in range(FRONTENDS * BACKENDS)}
        self.events = 0
        self.followed = 0

    def _frontend(self, number: int) -> api.FrontendSnapshot:
        names = [f"b{number * BACKENDS + one:04}" for one in range(BACKENDS)]
        members = tuple(
            member(name, address=IPv4Address(0x0A000000 + number * BACKENDS + one), state=self.states[name])
            for one, name in enumerate(names)
        )
        vip = api.VipKey(IPv4Address(0xC0000000 + number), api.IPProtocol.TCP, 443)
        return frontend(f"f{number:03}", vip=vip, members=members)

    def _snapshot(self) -> pb.Snapshot:
        fronts = {f"f{number:03}": self._frontend(number) for number in range(FRONTENDS)}
        backs = {name: self._backend(name) for name in self.states}
        return snapshot(frontends=fronts, backends=backs)

    def _backend(self, name: str) -> api.BackendSnapshot:
        return backend(name, state=self.states[name], frontends=(f"f{int(name[1:]) // BACKENDS:03}",))

    def _counters(self) -> list[api.VipCounters]:
        return [
            api.VipCounters(self._frontend(number).vip, {"existing": int(time.time() * 100), "first": number}, 1, 1)
            for number in range(FRONTENDS)
        ]

    def _dataplane(self) -> api.DataplaneSnapshot:
        counts = tuple(api.MessageCount(f"m{n:02}", "tx", "ok", int(time.time() * 10) + n) for n in range(30))
        return api.DataplaneSnapshot("memory", True, False, None, None, (), "", counts)

    async def read(self, name: str, request: Any) -> Any:
        """What is, at this moment."""
        match name:
            case "GetSnapshot":
                return self._snapshot()
            case "GetFrontend":
                return to_message(self._frontend(int(request.name[1:])))
            case "GetBackend":
                return to_message(self._backend(request.name))
            case "GetDataplaneInfo":
                return to_message(self._dataplane())
            case "GetDataplaneCounters":
                return pb.GetDataplaneCountersResponse(counters=map(to_message, self._counters()))
            case _:
                return to_message(
                    Info("0.1.0", "bench", "", 1.0, 1.0, True, api.LoopLag(0.0, 0.0, 0), 1, True, "bench")
                )

    async def stream(self, _name: str, request: pb.WatchEventsRequest) -> AsyncIterator[pb.WatchEventsResponse]:
        """A probe of each backend that is asked for, every two seconds."""
        self.followed = len(request.backends)
        for number in itertools.count():
            await anyio.sleep(2.0 / max(1, self.followed))
            name = request.backends[number % self.followed]
            verdict = attrs.evolve(REFUSED, code=api.Code.L7OK, duration_ns=1_000_000 * (number % 7 + 1))
            event = api.ProbeEvent(time.time(), name, api.ProbePhase.DONE, verdict)
            yield pb.WatchEventsResponse(events=[event_message(number, event)])

    async def watch_messages(self) -> AsyncIterator[pb.WatchEventsResponse]:
        """The state, then events."""
        yield pb.WatchEventsResponse(snapshot=self._snapshot())
        rng = random.Random(1)  # noqa: S311  (the same each time)
        start_s = time.monotonic()
        for number in itertools.count():
            await anyio.sleep(max(0.0, start_s + number / EVENTS_A_SECOND - time.monotonic()))
            name = f"b{rng.randrange(FRONTENDS * BACKENDS):04}"
            old, new = self.states[name], DOWN if self.states[name] is UP else UP
            self.states[name] = new
            self.events += 1
            change = api.Transition(old, new, time.time(), REFUSED if new is DOWN else None)
            event = api.BackendEvent(time.time(), name, (f"f{int(name[1:]) // BACKENDS:03}",), change)
            yield pb.WatchEventsResponse(events=[event_message(number + 2, event)])


def told_frames(page: Page, cards: str) -> list[str]:
    """How smoothly it went since frames were counted from nought."""
    frames = sorted(page.evaluate("frames_"))
    median, p95, p99 = (frames[int(len(frames) * share)] for share in (0.5, 0.95, 0.99))
    rate = 1000 * len(frames) / sum(frames)
    return [f"cards {cards}: {rate:.0f} frames/s; ms between: median {median:.0f}, p95 {p95:.0f}, p99 {p99:.0f}"]


def look(url: str, seconds: float, said: list[str]) -> None:
    """Have a browser look on, and count its frames and its memory."""
    with chromium() as browser, opened(browser, url) as page:
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
        said.append(f"first paint {paint:.0f} ms, {page.locator('.card').count()} cards")
        page.evaluate(
            """() => { window.frames_ = []; let last = performance.now();
                const step = (at) => { frames_.push(at - last); last = at; requestAnimationFrame(step); };
                requestAnimationFrame(step); }"""
        )
        debugger = page.context.new_cdp_session(page)

        def heap() -> float:
            debugger.send("HeapProfiler.collectGarbage")
            return float(debugger.send("Runtime.getHeapUsage")["usedSize"]) / 1e6

        for part in range(4):
            said.append(f"heap after {part * seconds / 4:3.0f} s: {heap():.1f} MB")
            page.wait_for_timeout(seconds * 250)
        said.append(f"heap after {seconds:3.0f} s: {heap():.1f} MB")
        said += told_frames(page, "closed")
        page.get_by_role("button", name="open all").click()
        page.evaluate("frames_.length = 0")
        page.wait_for_timeout(seconds * 250)
        said += told_frames(page, "open")


async def main(seconds: float) -> None:
    """Measure, and print."""
    broker, client = Broker(), Large()
    anybody: Any = client
    daemon = Daemon("large", anybody, broker)
    daemons = Daemons([daemon], broker)
    settings = Settings(servers=("large",), listen="127.0.0.1:0")
    server = Server(configuration(create_app(daemons), settings), daemons)
    sock = listen(settings.listen, BACKLOG)
    said: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(daemon.run)
        tasks.start_soon(server.serve, [sock])
        while not (server.started and daemon.state.frontends):  # noqa: ASYNC110  (nobody signals either)
            await anyio.sleep(0.1)
        began_s, cpu_s, events = time.monotonic(), time.process_time(), client.events
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/view/"
        if CHROMIUM:
            # A thread of its own: Playwright has a loop of its own.
            await anyio.to_thread.run_sync(lambda: _in_thread(look, url, seconds, said))
        else:
            await anyio.sleep(seconds)
            said.append("there is no chromium: only the server was measured")
        passed_s = time.monotonic() - began_s
        cost = (time.process_time() - cpu_s) / passed_s
        print(f"{FRONTENDS} frontends of {BACKENDS} backends, {(client.events - events) / passed_s:.0f} events/s")
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"server: {cost:.0%} of a core, {memory_mb:.0f} MB at most, state of {len(daemons.state()) / 1e6:.1f} MB")
        print("\n".join(said))
        print(f"probes were followed of {client.followed} backends at last")
        tasks.cancel_scope.cancel()
    sock.close()


def _in_thread(function: Any, *arguments: Any) -> None:
    thread = threading.Thread(target=function, args=arguments)
    thread.start()
    thread.join()


if __name__ == "__main__":
    anyio.run(main, float(sys.argv[1]) if sys.argv[1:] else 60.0)
