"""Faults that tests can switch on: refused operations, and replies that never come."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from maglev.api import Operation


@attrs.define
class _Refusal:
    matching: Callable[[Operation], bool]
    error: str
    skip: int
    times: int | None

    def applies_to(self, operation: Operation) -> bool:
        """Count an operation, and tell whether it is to be refused."""
        if self.times == 0 or not self.matching(operation):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._refusals: list[_Refusal] = []
        self.lose_after: int | None = None
        """Break all connections after this many more operations, before the last one's reply; `None`: never."""

    def refuse(
        self,
        error: str = "UNSPECIFIED",
        *,
        matching: Callable[[Operation], bool] = lambda _: True,
        nth: int = 1,
        times: int | None = 1,
    ) -> None:
        """Refuse operations.

        Args:
            error: The name of the error.
            matching: Which operations; by default all.
            nth: The first one to refuse, counted from 1 among those that match.
            times: How many to refuse from there on; `None` is all.
        """
        self._refusals.append(_Refusal(matching, error, nth - 1, times))

    def refusal(self, operation: Operation) -> str:
        """Count an operation, and return the error that it gets; empty if none."""
        return next((refusal.error for refusal in self._refusals if refusal.applies_to(operation)), "")

    def breaks_now(self) -> bool:
        """Count an operation that was done, and tell whether the connection breaks before its reply."""
        if self.lose_after is None:
            return False
        self.lose_after -= 1
        if self.lose_after > 0:
            return False
        self.lose_after = None
        return True

    def clear(self) -> None:
        """Switch all faults off."""
        self._refusals.clear()
        self.lose_after = None
