"""Runs the probes of `StreamChecker`s, without a task, timer or future for any of them."""

from __future__ import annotations

from typing import cast

from maglev.api import StreamChecker
from maglev.probing import verdicts
from maglev.probing.job import EngineContext, ScheduledJob
from maglev.probing.sockets import RawSocket, open_all
from maglev.probing.stream_probe import StreamProbe


class StreamRunner:
    """Starts the probes of all `StreamChecker`s."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    def prepare(self, scheduled: ScheduledJob) -> None:
        checker = cast("StreamChecker", scheduled.job.checker)
        target = scheduled.job.target
        scheduled.udp = checker.transport == "udp"
        scheduled.tls = checker.tls(target)
        scheduled.tls_first = scheduled.tls is not None and checker.tls_first(target)
        scheduled.make = checker.conversations(target)

    def start(self, due: list[ScheduledJob]) -> None:
        for scheduled, sock in open_all(self._context.spaces, due):
            if isinstance(sock, OSError):
                if not scheduled.gone:
                    self._context.not_started(scheduled, verdicts.socket_failed(sock))
            elif scheduled.gone:  # removed by a callback of a probe started before it
                sock.close()
            else:
                self._start(scheduled, sock)

    def release(self, scheduled: ScheduledJob) -> None:
        """Do nothing: nothing was acquired."""

    def _start(self, scheduled: ScheduledJob, sock: RawSocket) -> None:
        context = self._context
        try:
            conversation = scheduled.make()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            sock.close()
            context.not_started(scheduled, context.fault(scheduled.job, "no conversation could be made", error))
            return
        probe = StreamProbe(scheduled, context.clock_ns(), context, sock, conversation)
        context.begin(probe)
        if scheduled.probe is probe:
            probe.connect()
