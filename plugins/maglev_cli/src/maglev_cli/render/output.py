"""Where answers and errors go, and in which form."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from typing import Any, Literal, TextIO

import attrs

from maglev_cli.render.text import styled, text_of
from maglev_cli.views.model import Style, View, printable

Format = Literal["text", "json"]


def wants_colour(asked: bool | None, stream: TextIO) -> bool:  # noqa: FBT001  (a flag's value)
    """Whether to colour what goes to a stream.

    Args:
        asked: What the flag said; `None` if nothing, which leaves it to `NO_COLOR` and the terminal.
        stream: Where it goes.
    """
    if asked is not None:
        return asked
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


@attrs.frozen
class Output:
    """Writes answers and errors.

    Args:
        format: `text` or `json`.
        colour: What the flag said, as in `wants_colour`.
    """

    format: Format = "text"
    colour: bool | None = None

    def show(self, view: View) -> None:
        """Write a view to standard output."""
        sys.stdout.write(self.text(view))
        sys.stdout.flush()

    def text(self, view: View) -> str:
        """A view as it is to be written to standard output."""
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        return text_of(view, colour=wants_colour(self.colour, sys.stdout), width=width)

    def answer(self, message: Any, view: Callable[[], View]) -> None:
        """Write an answer to standard output in the form that is wanted.

        Args:
            message: The API's message.
            view: Makes a view of it.
        """
        if self.format == "json":
            self.json(message, indent=2)
        else:
            self.show(view())

    def json(self, message: Any, indent: int | None = None) -> None:
        """Write a message as JSON, on one line unless it is indented."""
        sys.stdout.write(json_of(message, indent) + "\n")
        sys.stdout.flush()

    def error(self, message: str) -> None:
        """Write an error to standard error: one line, red where there is colour."""
        told = styled(one_line(message), Style.ERROR, colour=wants_colour(self.colour, sys.stderr))
        sys.stderr.write(f"{told}\n")
        sys.stderr.flush()


def one_line(message: str) -> str:
    """Put a message on one line that does a terminal no harm."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    joined = "".join(line + (" " if line.endswith(":") else "; ") for line in lines[:-1]) + "".join(lines[-1:])
    return printable(joined)


def json_of(message: Any, indent: int | None = None) -> str:
    """A message as JSON, with the names of the API's fields; what is not set is there too if it has a zero value.

    Args:
        message: The API's message.
        indent: By how much to indent; `None` for one line.
    """
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415  (text does not need it)

    content = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return json.dumps(content, indent=indent)
