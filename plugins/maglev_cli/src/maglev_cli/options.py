"""The options of `maglevc`, from its command line and environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from maglev import command_line
from maglev.api import option
from maglev_cli.render import Output
from maglev_grpc.security import Security


@attrs.frozen
class Invocation:
    """One start of `maglevc`.

    Args:
        security: How to speak to the server.
        words: The command; none: read commands.
    """

    server: str = option(
        "localhost:9090",
        help="Address of maglevd: host, host:port, [address]:port or unix:/path",
        metavar="HOST:PORT",
    )
    form: Literal["text", "json"] = option(
        "text", help="Print text for people, or the API's message as JSON", flag="output"
    )
    color: bool | None = option(None, help="Use colour or not; default: colour on a terminal unless NO_COLOR is set")
    security: Security = attrs.field(factory=Security)
    words: tuple[str, ...] = ()

    @property
    def output(self) -> Output:
        """The form and destination of answers."""
        return Output(self.form, self.color)

    @classmethod
    def parsed(cls, values: Mapping[str, Any]) -> Invocation:
        """Read what click has parsed."""
        return command_line.read(cls, values, words=tuple(values["words"]))
