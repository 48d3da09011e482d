"""`maglevc` itself: options, environment, exit statuses."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from maglev.single_dash import SingleDashCommand, version_option
from maglev_cli.options import Invocation, options
from maglev_cli.render import Output

WRONG = 2
"""The exit status of a wrong command; an error's is 1."""
INTERRUPTED = 130
LEFT = 141
"""The exit status where whoever read our output has left."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of `maglevc`; ends the process."""
    # Most of a command's time goes into imports, and a tenth of that into looking for garbage among what they make.
    gc.disable()
    # A question that gRPC's own log answers is not asked of a command line.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    status = _guarded(words)
    # Everything is closed: taking the interpreter apart as well takes as long as asking maglevd something.
    os._exit(_flushed(status))


def _guarded(words: list[str]) -> int:
    try:
        if words[:1] == ["--complete"]:
            from maglev_cli.complete import answer  # noqa: PLC0415

            return answer(words[1:])
        made = command()
        # Not click's own `main`, which has other ideas of errors and of readers who leave.
        with made.make_context("maglevc", words) as context:
            status: int = made.invoke(context)
            return status
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        Output().error(error.format_message())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        return LEFT


def _flushed(status: int) -> int:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        return LEFT
    return status


def command() -> click.Command:
    """Build the command."""
    return SingleDashCommand(
        "maglevc",
        callback=_start,
        params=[*options(), version_option("maglevc"), click.Argument(["words"], nargs=-1, metavar="[COMMAND]...")],
        help="Ask and control a running maglevd. Without a COMMAND: a shell, or on a pipe one command from each line.",
        epilog="Words may be abbreviated: `sh ba`. `maglevc help` lists the commands, and `?` in the place of a word "
        "what can stand there. Long options may also be written with one dash. Exit status: 0, 1 for an error, 2 for "
        "a wrong command.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _start(completion: str | None, **values: Any) -> int:
    if completion is not None:
        from maglev_cli.complete import script  # noqa: PLC0415

        click.echo(script(completion))
        return 0
    from maglev_cli.run import run  # noqa: PLC0415

    return run(Invocation.parsed(values))
