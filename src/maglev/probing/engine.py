"""The streams' shape: how `StreamChecker` probes are prepared and started. No task, timer or future for any of them."""

from __future__ import annotations

from typing import cast

from maglev.api import StreamChecker
from maglev.probing import verdicts
from maglev.probing.job import Facilities, Plan, Run
from maglev.probing.sockets import RawSocket, open_all
from maglev.probing.stream import StreamRun


class Streams:
    """Starts the probes of all `StreamChecker`s.

    Args:
        facilities: What it works with.
    """

    def __init__(self, facilities: Facilities) -> None:
        self._facilities = facilities

    def prepare(self, plan: Plan) -> None:
        checker = cast("StreamChecker", plan.job.checker)
        target = plan.job.target
        plan.udp = checker.transport == "udp"
        plan.tls = checker.tls(target)
        plan.tls_first = plan.tls is not None and checker.tls_first(target)
        plan.make = checker.conversations(target)

    def start(self, plans: list[Plan]) -> None:
        for plan, sock in open_all(self._facilities.spaces, plans):
            if isinstance(sock, OSError):
                self._not_started(plan, sock)
            elif plan.gone:  # removed by what an earlier one of these led to
                sock.close()
            else:
                self._start(plan, sock)

    def release(self, plan: Plan) -> None:
        """Nothing is held."""

    def _start(self, plan: Plan, sock: RawSocket) -> None:
        facilities = self._facilities
        try:
            talk = plan.make()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            sock.close()
            facilities.warn(plan.job.checker, f"{plan.job.name}: no conversation could be made", error)
            run = Run(plan, facilities.clock_ns())
            facilities.begin(run)
            facilities.report(run, verdicts.checker_fault(error))
            return
        stream = StreamRun(plan, facilities.clock_ns(), facilities, sock, talk)
        facilities.begin(stream)
        if plan.run is stream:
            stream.connect()

    def _not_started(self, plan: Plan, error: OSError) -> None:
        if not plan.gone:
            run = Run(plan, self._facilities.clock_ns())
            self._facilities.begin(run)
            self._facilities.report(run, verdicts.socket_failed(error))
