"""Decides which writes are allowed after a restart: none that moves traffic before there are verdicts.

From process start until `startup-min-delay` nothing is written. Then each frontend is released, and to be synced once,
as soon as none of its backends is unknown. At `startup-max-delay` the rest is released at once; a backend that is still
unknown then keeps what it carries (`maglev.domain.frontend`). The clock starts with the process: no reload and no lost
connection starts it again. A dataplane that is empty, or has itself restarted, ends the warm-up: there is nothing to
protect.

All of this is pure. Whoever drives it asks `advance` whenever a backend gets a verdict, the configuration changes, or
the time that `next_wakeup_ns` names has come, and syncs what `advance` says was released.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs


@attrs.frozen
class WarmUp:
    """The progress of the warm-up.

    Args:
        started_ns: When the process started, on a monotonic clock, in nanoseconds.
        min_ns: `startup-min-delay`, in nanoseconds: until then nothing is written.
        max_ns: `startup-max-delay`, in nanoseconds: from then on nothing is held back. Taken as `min_ns` if less.
        released: Names of the frontends that may be written; only of meaning while the warm-up lasts.
        ended_by: What ended the warm-up, in words; empty while it lasts.
    """

    started_ns: int
    min_ns: int
    max_ns: int
    released: frozenset[str] = frozenset()
    ended_by: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing is held back any more, new frontends included."""
        return bool(self.ended_by)

    @property
    def min_at_ns(self) -> int:
        """The time of the first allowed write, on the clock of `started_ns`."""
        return self.started_ns + self.min_ns

    @property
    def max_at_ns(self) -> int:
        """The latest end of the warm-up, on the clock of `started_ns`."""
        return self.started_ns + max(self.min_ns, self.max_ns)


@attrs.frozen
class Step:
    """The changes of one step, and the frontends that are still held.

    Args:
        warm: The new state; the very same object if nothing changed.
        released: Frontends released by this step, in the order given, each to be synced once.
        held: Frontends held back, in the order given, each with what it waits for, in words; for the log.
    """

    warm: WarmUp
    released: tuple[str, ...] = ()
    held: Mapping[str, str] = attrs.field(factory=dict)


def start(started_ns: int, *, min_ns: int, max_ns: int) -> WarmUp:
    """Begin a warm-up; with both delays 0 it is over before it begins. The arguments are those of `WarmUp`."""
    return reconfigured(WarmUp(started_ns, min_ns, max_ns), min_ns=min_ns, max_ns=max_ns)


def reconfigured(warm: WarmUp, *, min_ns: int, max_ns: int) -> WarmUp:
    """Take other delays from a reload, in nanoseconds. The clock goes on, and what was released stays so.

    Both 0 end the warm-up, and the reload's own sync follows.
    """
    ended_by = warm.ended_by or ("no warm-up is configured" if max(min_ns, max_ns) == 0 else "")
    return attrs.evolve(warm, min_ns=min_ns, max_ns=max_ns, ended_by=ended_by)


def may_write(warm: WarmUp, frontend: str) -> bool:
    """Say whether a frontend may be written: it has been released, or the warm-up is over."""
    return warm.over or frontend in warm.released


def advance(warm: WarmUp, now_ns: int, unknown: Mapping[str, Collection[str]]) -> Step:
    """Release what may be released by now.

    The warm-up is over at `startup-max-delay`, or once every frontend is released. `now_ns` is on the clock of
    `WarmUp.started_ns`, and `unknown` has all frontends by name, each with the names of its backends that are unknown.
    """
    if warm.over:
        return Step(warm)
    if now_ns >= warm.max_at_ns:
        return _end(warm, unknown, "startup-max-delay has passed")
    if now_ns < warm.min_at_ns:
        return Step(warm, held=dict.fromkeys(unknown, "nothing is written before startup-min-delay has passed"))
    return _release_known(warm, unknown)


def fill(warm: WarmUp, frontends: Collection[str], why: str) -> Step:
    """End the warm-up, whatever the clock: the dataplane is empty, or has itself restarted, as `why` says."""
    return Step(warm) if warm.over else _end(warm, frontends, why)


def next_wakeup_ns(warm: WarmUp, now_ns: int) -> int | None:
    """Say when `advance` has to be asked again if nothing else happens, on the clock of `WarmUp.started_ns`.

    It may have passed already; `None` once the warm-up is over.
    """
    if warm.over:
        return None
    return warm.min_at_ns if now_ns < warm.min_at_ns else warm.max_at_ns


def _end(warm: WarmUp, frontends: Collection[str], why: str) -> Step:
    released = tuple(name for name in frontends if name not in warm.released)
    return Step(attrs.evolve(warm, released=warm.released.union(frontends), ended_by=why), released)


def _release_known(warm: WarmUp, unknown: Mapping[str, Collection[str]]) -> Step:
    waiting = {name: backends for name, backends in unknown.items() if name not in warm.released}
    released = tuple(name for name, backends in waiting.items() if not backends)
    held = {
        name: f"no verdict yet on {', '.join(backends)}; released at startup-max-delay at the latest"
        for name, backends in waiting.items()
        if backends
    }
    if released or not held:
        ended_by = "" if held else "every frontend is released"
        warm = attrs.evolve(warm, released=warm.released.union(released), ended_by=ended_by)
    return Step(warm, released, held=held)
