"""The probing loop: a task for each VIP, so that one that is slow slows no other."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import anyio

from maglev_tester.cadence import Cadence
from maglev_tester.outcome import Outcome
from maglev_tester.plan import Plan
from maglev_tester.probes import Probe, probes_of

OnOutcome = Callable[[int, Outcome], None]
"""Called with the position of the VIP in the plan, and what came of a probe."""


class Runner:
    """Probes the VIPs of a plan.

    Args:
        plan: What and how.
        on_outcome: Told of each probe; those of one VIP come in order.
        uniform: Gives numbers from 0 to 1, for the jitter.
        clock_ns: A monotonic clock.
    """

    def __init__(
        self,
        plan: Plan,
        on_outcome: OnOutcome,
        *,
        uniform: Callable[[], float] = random.random,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._plan = plan
        self._probes = probes_of(plan)
        self._on_outcome = on_outcome
        self._uniform = uniform
        self._clock_ns = clock_ns
        self._going = anyio.Event()
        self._going.set()

    async def run(self) -> None:
        """Probe until cancelled, or until each VIP was probed `plan.once` times."""
        try:
            async with anyio.create_task_group() as tasks:
                for index, probe in enumerate(self._probes):
                    tasks.start_soon(self._follow, index, probe)
        finally:
            for probe in self._probes:
                await probe.aclose()

    def pause(self) -> None:
        """Start no more probes; those that are running end."""
        if self._going.is_set():
            self._going = anyio.Event()

    def resume(self) -> None:
        """Go on, spread as at the start."""
        self._going.set()

    async def _follow(self, index: int, probe: Probe) -> None:
        cadence = Cadence(self._plan.interval_ns, self._uniform)
        cadence.begin(self._clock_ns())
        left = self._plan.once or -1
        while left:
            await anyio.sleep(max(cadence.due_ns - self._clock_ns(), 0) / 1e9)
            if not self._going.is_set():
                await self._going.wait()
                cadence.begin(self._clock_ns())
                continue
            outcome = await probe.run()
            cadence.ended(outcome.started_ns, outcome.ended_ns)
            self._on_outcome(index, outcome)
            left -= 1
