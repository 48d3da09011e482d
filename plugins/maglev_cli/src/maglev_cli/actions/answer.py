"""What an action comes back with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from maglev_cli.views.model import View


@attrs.frozen
class Answer:
    """The answer to one command.

    Args:
        message: The API's message, for JSON.
        view: Makes what a person reads.
        errors: What went wrong, although there is an answer: each is told as an error, and the exit status says so.
    """

    message: Any
    view: Callable[[], View]
    errors: tuple[str, ...] = ()
