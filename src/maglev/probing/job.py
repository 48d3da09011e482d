"""The values of the engine: a job, its place in the schedule, a probe in flight, and what all runners work with."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Protocol

import attrs

from maglev.api import (
    TLS,
    AsyncChecker,
    Checker,
    Conversation,
    MuxChecker,
    ProbeResult,
    StreamChecker,
    Target,
    secrets_of,
    shown_error,
)
from maglev.probing import verdicts
from maglev.probing.netns import Namespaces
from maglev.probing.poller import Poller

Address = tuple[str, int] | tuple[str, int, int, int]
"""What `socket.connect` wants."""


@attrs.frozen(eq=False)
class Job:
    """One backend to be probed again and again. Compared and hashed by identity.

    Args:
        name: The backend's name.
        checker: How to probe: a `StreamChecker`, `MuxChecker` or `AsyncChecker`, shared by many jobs.
        target: Whom to probe. `sockets` need not be filled in.
        check_type: For metrics; by default the checker's name.
    """

    name: str
    checker: Checker
    target: Target
    check_type: str = attrs.field(default="")

    def __attrs_post_init__(self) -> None:
        if not self.check_type:
            object.__setattr__(self, "check_type", self.checker.name)


def without_secrets(error: Exception, checker: Checker) -> BaseException:
    """Return an exception of a checker, without the secrets among its options."""
    return shown_error(error, secrets_of(getattr(checker, "options", None)))


def shape_of(checker: Checker) -> type[Checker]:
    """Tell which of the three shapes a checker has: `StreamChecker`, `MuxChecker` or `AsyncChecker`.

    Raises:
        TypeError: It has none of them: no prober can run it.
    """
    for shape in (StreamChecker, MuxChecker, AsyncChecker):
        if isinstance(checker, shape):
            return shape
    raise TypeError(f"checker {checker.name} is not a StreamChecker, MuxChecker or AsyncChecker")


class ProbeRunner(Protocol):
    """Runs the probes of one shape of checker; there is one for each of the three."""

    def prepare(self, scheduled: ScheduledJob) -> None:
        """Compute what is the same for every probe. May raise whatever a checker raises."""
        ...

    def start(self, due: list[ScheduledJob]) -> None:
        """Start one probe of each job: set its `probe`, or report at once how it ended."""
        ...

    def release(self, scheduled: ScheduledJob) -> None:
        """Release what `prepare` acquired; no probe of the job is in flight."""
        ...


class ScheduledJob:
    """A job in the schedule: when its next probe is due, and what is the same for all its probes. Kept small.

    `address`, `certificate`, `lingering`, `make`, `meets_itself`, `not_after_s`, `session`, `sessions_taken`, `tls`,
    `tls_first`, `udp` and `zoned` belong to the stream runner; the other two runners keep what they need in `extra`.
    """

    __slots__ = (
        "address", "certificate", "due_ns", "extra", "family", "gone", "interval_ns", "job", "lingering", "make",
        "meets_itself", "netns", "not_after_s", "probe", "ready", "runner", "session", "sessions_taken", "slot",
        "source", "timeout_ns", "tls", "tls_first", "udp", "zoned",
    )  # fmt: skip

    def __init__(self, job: Job, runner: ProbeRunner, due_ns: int) -> None:
        self.job = job
        self.runner = runner
        self.due_ns = due_ns
        self.slot: int | None = None
        self.interval_ns = 1_000_000_000
        self.probe: Probe | None = None
        self.ready = False
        self.gone = False
        self.timeout_ns = job.target.timeout_ns
        self.netns = job.target.netns
        self.source = job.target.source
        self.family = job.target.family
        self.address: Address = ("", 0)
        """Where to connect to."""
        self.zoned = False
        """Whether the address, or the source, names an interface, whose number is asked for with every probe."""
        self.meets_itself: bool | None = None
        """Whether a probe can be given the probed port as its own, and so be connected to itself; at first unknown."""
        self.lingering = 0
        """How many connections of earlier probes there are whose peers are still being heard out."""
        self.certificate: int | None = None
        """The hash of the server's certificate, as of the latest full handshake."""
        self.not_after_s: float | None = None
        """When that ends, as POSIX time; `None` where that is not known."""
        self.udp = False
        self.make: Callable[[], Conversation] = Conversation
        self.tls: TLS | None = None
        self.tls_first = False
        self.session: ssl.SSLSession | None = None
        self.sessions_taken = 0
        self.extra: object = None


class Probe:
    """One probe in flight. This base class is a probe that could not be started: it holds no resources."""

    __slots__ = ("deadline_slot", "scheduled", "stalled_before_ns", "started_ns")

    def __init__(self, scheduled: ScheduledJob, started_ns: int) -> None:
        self.scheduled = scheduled
        self.started_ns = started_ns
        self.stalled_before_ns = 0
        self.deadline_slot: int | None = None

    def expire(self) -> None:
        """End because the timeout has passed, and report."""

    def cancel(self) -> None:
        """Release everything, and report nothing."""


@attrs.frozen
class EngineContext:
    """The objects that the three runners share.

    Args:
        poller: Where descriptors are registered.
        spaces: The network namespaces.
        clock_ns: The monotonic clock.
        begin: Called with each probe as it starts.
        report: Called once with each probe that was not cancelled, after it has released everything.
        warn: Logs a problem, as `warn(subject, message, error)`, at most once a minute for each subject.
        certified: Called with a job whose server has shown another certificate, once its `not_after_s` is set.
    """

    poller: Poller
    spaces: Namespaces
    clock_ns: Callable[[], int]
    begin: Callable[[Probe], None]
    report: Callable[[Probe, ProbeResult], None]
    warn: Callable[[object, str, BaseException | None], None]
    certified: Callable[[ScheduledJob], None]

    def fault(self, job: Job, message: str, error: Exception) -> ProbeResult:
        """Log a fault of a job's checker; returns the void result for it."""
        shown = without_secrets(error, job.checker)
        self.warn(job.checker, f"{job.name}: {message}", shown)
        return verdicts.checker_fault(shown)

    def not_started(self, scheduled: ScheduledJob, result: ProbeResult) -> None:
        """Report a probe that could not be started."""
        probe = Probe(scheduled, self.clock_ns())
        self.begin(probe)
        self.report(probe, result)
