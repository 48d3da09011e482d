"""What a test can let go wrong: refused operations, and replies that never come."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from maglev.api import Operation


@attrs.define
class Refusal:
    """Operations to refuse for no reason of their own.

    Args:
        matches: Which ones.
        error: The name of the error they get.
        skip: How many matching operations still pass.
        times: How many are refused after these; `None` is all.
    """

    matches: Callable[[Operation], bool]
    error: str
    skip: int = 0
    times: int | None = 1

    def takes(self, operation: Operation) -> bool:
        """Count an operation, and tell whether it is to be refused."""
        if self.times == 0 or not self.matches(operation):
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
        self._refusals: list[Refusal] = []
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
            matching: Which operations; all of them if not said.
            nth: The first one to refuse, counted from 1 among those that match.
            times: How many from there on; `None` is all.
        """
        self._refusals.append(Refusal(matching, error, nth - 1, times))

    def refusal(self, operation: Operation) -> str:
        """Return the error that an operation is to get; empty if none."""
        return next((refusal.error for refusal in self._refusals if refusal.takes(operation)), "")

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
        """Let nothing go wrong any more."""
        self._refusals.clear()
        self.lose_after = None
