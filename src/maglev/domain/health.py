"""Computes a backend's health from probe results and commands: a state, and one integer as in HAProxy.

The counter runs from 0 to rise + fall - 1 (`HealthRule.top`). Below `rise` a backend is down, from there on up. A pass
at or above `rise` takes it to the top, a failure below `rise` to 0: so `fall` failures in a row always take an up
backend down, `rise` passes in a row always bring a down one up, and nothing in between drifts. An unknown backend
starts at the top: its first pass makes it up, and it takes `fall` failures in a row to make it down.

A backend without a health check (static) has no rule: `None` stands for it here. Its counter is always 0, and it is up
unless it is paused or disabled.
"""

from __future__ import annotations

from functools import lru_cache

import attrs

from maglev.api import BackendState, FailedPrecondition
from maglev.domain.model import HealthRule, Intervals

# Looking a member up in an enumeration costs more than the rest of `observe`, which runs once per probe.
_UNKNOWN = BackendState.UNKNOWN
_UP = BackendState.UP
_DOWN = BackendState.DOWN


@attrs.frozen
class Health:
    """The health of one backend.

    Args:
        state: What is held of it.
        counter: 0 to the rule's `top`; 0 for static, paused, disabled and removed backends.
    """

    state: BackendState
    counter: int

    @property
    def probed(self) -> bool:
        """Whether a backend in this state is probed (if it has a health check at all)."""
        return self.state is _UP or self.state is _DOWN or self.state is _UNKNOWN


_health = lru_cache(maxsize=4096)(Health)
"""One value for all that are equal: what every probe looks at stays in the processor's cache."""


def initial(rule: HealthRule | None, *, enabled: bool = True) -> Health:
    """Give the health that a new backend starts with, which the file, or an override, enables or not."""
    return _fresh(rule) if enabled else _health(BackendState.DISABLED, 0)


def observe(health: Health, rule: HealthRule, passed: bool) -> Health:  # noqa: FBT001 - a verdict, once per probe
    """Count one verdict. Void results are no verdicts and never come here.

    Returns:
        The new health; the very same object if nothing changed. A verdict that arrives late, on a backend that is
        paused, disabled or removed by now, changes nothing.
    """
    if passed:
        if health.state is _UP and health.counter == rule.rise + rule.fall - 1:
            return health
        return _pass(health, rule) if health.probed else health
    if health.state is _DOWN and health.counter == 0:
        return health
    return _failure(health, rule) if health.probed else health


def interval_ns(health: Health, rule: HealthRule, intervals: Intervals) -> int:
    """Say how long it is from the start of the last probe to the start of the next, in nanoseconds, before jitter.

    Returns:
        The normal interval when wholly up, the down interval when wholly down, else the fast one. Backends that are not
        probed have no interval; for them it is the down interval, which does no harm.
    """
    if health.state is _UP and health.counter == rule.rise + rule.fall - 1:
        return intervals.normal_ns
    return intervals.down_ns if health.counter == 0 else intervals.fast_ns


def pause(health: Health) -> Health:
    """Stop probing: paused. A backend that is paused already stays as it is.

    Raises:
        FailedPrecondition: The backend is disabled or removed.
    """
    _refuse(health, "pause")
    return _moved(health, BackendState.PAUSED)


def resume(health: Health, rule: HealthRule | None) -> Health:
    """End a pause: probed again from unknown, or up at once if static. Without a pause nothing changes.

    Raises:
        FailedPrecondition: The backend is disabled or removed.
    """
    _refuse(health, "resume")
    return _fresh(rule) if health.state is BackendState.PAUSED else health


def disable(health: Health) -> Health:
    """Take a backend out of use: disabled. A backend that is disabled already stays as it is.

    Raises:
        FailedPrecondition: The backend is removed.
    """
    if health.state is BackendState.REMOVED:
        _refuse(health, "disable")
    return _moved(health, BackendState.DISABLED)


def enable(health: Health, rule: HealthRule | None) -> Health:
    """Use a disabled backend again: from unknown, or up at once if static.

    What is not disabled stays as it is, a paused backend too: only `resume` ends a pause, as in HAProxy `enable server`
    ends maintenance and not a drain.

    Raises:
        FailedPrecondition: The backend is removed.
    """
    if health.state is BackendState.REMOVED:
        _refuse(health, "enable")
    return _fresh(rule) if health.state is BackendState.DISABLED else health


def reset(health: Health, rule: HealthRule | None, *, enabled: bool) -> Health:
    """Reset a backend to its configuration: disabled, or in use again from unknown; a pause ends too.

    Raises:
        FailedPrecondition: The backend is removed.
    """
    if not enabled:
        return disable(health)
    if health.state is BackendState.PAUSED:
        return resume(health, rule)
    return enable(health, rule)


def removed(health: Health) -> Health:
    """Give the health of a backend that has left the configuration."""
    return _moved(health, BackendState.REMOVED)


def swapped(health: Health, rule: HealthRule | None) -> Health:
    """Carry a backend's state over to a changed health check: the state stays, the counting starts anew.

    Returns:
        Up: at the new top. Down: at 0. Unknown: at the new top, so that the new check gets all its `fall` failures.
    """
    if not health.probed:
        return health
    if rule is None:
        return _same_or(health, _health(_UP, 0))
    return _same_or(health, _health(health.state, 0 if health.state is _DOWN else rule.top))


def _fresh(rule: HealthRule | None) -> Health:
    return _health(_UP, 0) if rule is None else _health(_UNKNOWN, rule.top)


def _pass(health: Health, rule: HealthRule) -> Health:
    counter = health.counter + 1
    return _health(_UP, rule.top) if counter >= rule.rise else _health(health.state, counter)


def _failure(health: Health, rule: HealthRule) -> Health:
    counter = health.counter - 1
    return _health(_DOWN, 0) if counter < rule.rise else _health(health.state, counter)


def _moved(health: Health, state: BackendState) -> Health:
    return health if health.state is state else _health(state, 0)


def _same_or(health: Health, other: Health) -> Health:
    return health if health == other else other


def _refuse(health: Health, verb: str) -> None:
    if health.state is BackendState.DISABLED:
        raise FailedPrecondition(f"cannot {verb} a disabled backend: enable it first")
    if health.state is BackendState.REMOVED:
        raise FailedPrecondition(f"cannot {verb} a backend that has left the configuration")
