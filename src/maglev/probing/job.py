"""What is probed, as the runtime orders it, as the prober prepares it, and while it runs."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Protocol

import attrs

from maglev.api import TLS, AsyncChecker, Checker, Conversation, MuxChecker, ProbeResult, StreamChecker, Target
from maglev.probing.netns import Namespaces
from maglev.probing.poller import Poller


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


def shape_of(checker: Checker) -> type[Checker]:
    """Tell which of the three shapes a checker has.

    Returns:
        `StreamChecker`, `MuxChecker` or `AsyncChecker`.

    Raises:
        TypeError: It has none of them: no prober can run it.
    """
    for shape in (StreamChecker, MuxChecker, AsyncChecker):
        if isinstance(checker, shape):
            return shape
    raise TypeError(f"checker {checker.name} is no StreamChecker, MuxChecker or AsyncChecker")


class Shape(Protocol):
    """One of the three shapes of checkers: how plans of that shape are made ready, started, and let go."""

    def prepare(self, plan: Plan) -> None:
        """Compute what is the same for every probe. May raise whatever a checker raises."""
        ...

    def start(self, plans: list[Plan]) -> None:
        """Start one probe of each: give each plan a `run`, or report at once how it ended."""
        ...

    def release(self, plan: Plan) -> None:
        """Let go of what `prepare` took hold of; no probe of the plan is running."""
        ...


class Plan:
    """A job made ready for probing, and where it stands: one per backend, so it is kept small.

    `address`, `make`, `tls`, `tls_first`, `session` and `sessions_taken` are the streams'; a mux keeps its place in
    `extra`.
    """

    __slots__ = (
        "address", "due_ns", "extra", "family", "gone", "interval_ns", "job", "make", "netns", "ready", "run",
        "session", "sessions_taken", "shape", "slot", "source", "timeout_ns", "tls", "tls_first", "udp",
    )  # fmt: skip

    def __init__(self, job: Job, shape: Shape, due_ns: int) -> None:
        self.job = job
        self.shape = shape
        self.due_ns = due_ns
        self.slot: int | None = None
        self.interval_ns = 1_000_000_000
        self.run: Run | None = None
        self.ready = False
        self.gone = False
        self.timeout_ns = job.target.timeout_ns
        self.netns = job.target.netns
        source = job.target.source
        self.source = None if source is None else str(source)
        self.family = job.target.family
        self.address = job.target.sockaddr
        self.udp = False
        self.make: Callable[[], Conversation] = Conversation
        self.tls: TLS | None = None
        self.tls_first = False
        self.session: ssl.SSLSession | None = None
        self.sessions_taken = 0
        self.extra: object = None


class Run:
    """One probe under way; as it stands here, one that could not even be started, and holds nothing.

    Args:
        plan: Whose probe it is.
        started_ns: When it started.
    """

    __slots__ = ("deadline_slot", "plan", "stalled_before_ns", "started_ns")

    def __init__(self, plan: Plan, started_ns: int) -> None:
        self.plan = plan
        self.started_ns = started_ns
        self.stalled_before_ns = 0
        self.deadline_slot: int | None = None

    def expire(self) -> None:
        """The time is up: end, and report."""

    def cancel(self) -> None:
        """Let go of everything, and report nothing."""


@attrs.frozen
class Facilities:
    """What the three shapes work with.

    Args:
        poller: Where descriptors are registered.
        spaces: The network namespaces.
        clock_ns: The monotonic clock.
        begin: Called with each run as it starts.
        report: Called with each run that was not cancelled, once, when it has let go of everything.
        warn: Tell of trouble: about whom (at most once a minute each), what, and the exception behind it.
    """

    poller: Poller
    spaces: Namespaces
    clock_ns: Callable[[], int]
    begin: Callable[[Run], None]
    report: Callable[[Run, ProbeResult], None]
    warn: Callable[[object, str, BaseException | None], None]
