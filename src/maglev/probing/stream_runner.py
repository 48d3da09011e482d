"""Runs the probes of `StreamChecker`s, without a task, timer or future for any of them."""

from __future__ import annotations

import errno
from typing import cast

from maglev.api import StreamChecker
from maglev.probing import verdicts
from maglev.probing.job import EngineContext, ScheduledJob
from maglev.probing.lingering import LingeringSet
from maglev.probing.sockets import Opened, RawSocket, open_all, zoned
from maglev.probing.stream_probe import StreamProbe

_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)


class StreamRunner:
    """Starts the probes of all `StreamChecker`s."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._lingering = LingeringSet(context.clock_ns)

    def prepare(self, scheduled: ScheduledJob) -> None:
        checker = cast("StreamChecker", scheduled.job.checker)
        target = scheduled.job.target
        scheduled.udp = checker.transport == "udp"
        scheduled.tls = checker.tls(target)
        scheduled.tls_first = scheduled.tls is not None and checker.tls_first(target)
        scheduled.make = checker.conversations(target)
        scheduled.zoned = zoned(target)
        if not scheduled.zoned:
            scheduled.address = target.sockaddr

    def start(self, due: list[ScheduledJob]) -> None:
        for scheduled, sock in self._open(due):
            if isinstance(sock, OSError):
                if not scheduled.gone:
                    self._context.not_started(scheduled, verdicts.socket_failed(sock))
            elif scheduled.gone:  # removed by a callback of a probe started before it
                sock.close()
            else:
                self._start(scheduled, sock)

    def release(self, scheduled: ScheduledJob) -> None:
        if scheduled.lingering:
            self._lingering.abandon(scheduled)

    def close(self) -> None:
        """Close what is left of probes whose verdict is known."""
        self._lingering.close()

    def _open(self, due: list[ScheduledJob]) -> list[Opened]:
        opened = open_all(self._context.spaces, due)
        if not self._lingering:
            return opened
        refused = [job for job, sock in opened if isinstance(sock, OSError) and sock.errno in _NO_DESCRIPTOR]
        if not refused:
            return opened
        self._lingering.abandon()
        return [pair for pair in opened if pair[0] not in refused] + open_all(self._context.spaces, refused)

    def _start(self, scheduled: ScheduledJob, sock: RawSocket) -> None:
        context = self._context
        try:
            conversation = scheduled.make()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the checker's
            sock.close()
            context.not_started(scheduled, context.fault(scheduled.job, "could not create a conversation", error))
            return
        probe = StreamProbe(scheduled, context.clock_ns(), context, self._lingering, sock, conversation)
        context.begin(probe)
        if scheduled.probe is probe:
            probe.connect()
