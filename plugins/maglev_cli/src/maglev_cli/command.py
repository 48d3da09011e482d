"""`maglevc` itself: options, environment, exit statuses."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from maglev.command_line import options_of
from maglev.shell_completion import answered, completion_option
from maglev.single_dash import SingleDashCommand, version_option
from maglev.standard_streams import open_missing
from maglev.terminal_text import escape_warnings
from maglev_cli.options import Invocation
from maglev_cli.render import Output
from maglev_cli.status import ERROR, INTERRUPTED, READER_LEFT


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of `maglevc`; ends the process."""
    # Most of a command's time goes into imports, and a tenth of that into looking for garbage among what they make.
    gc.disable()
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own log stays off the terminal
    open_missing()
    for stream, errors in (
        (sys.stdin, "surrogateescape"),
        (sys.stdout, "backslashreplace"),
        (sys.stderr, "backslashreplace"),
    ):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)
    escape_warnings()
    status = _guarded(list(sys.argv[1:] if arguments is None else arguments))
    # Everything is closed. Skip the interpreter's shutdown: it takes as long as asking maglevd something.
    os._exit(_flushed(status))


def _guarded(words: list[str]) -> int:
    try:
        made = command()
        if answered(made):
            return 0
        # Not click's own `main`: it reports errors, and readers who leave, in another way.
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
        return READER_LEFT
    except OSError as error:
        return _unwritten(error)


def _unwritten(error: OSError) -> int:
    Output().error(f"standard output: {error.strerror}")
    return ERROR


def _flushed(status: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return READER_LEFT
    except OSError as error:
        return status or _unwritten(error)  # else it was told already
    return status


def command() -> click.Command:
    """Build the command."""
    words = click.Argument(["words"], nargs=-1, metavar="[COMMAND]...", shell_complete=_candidates)
    return SingleDashCommand(
        "maglevc",
        callback=_start,
        params=[*options_of(Invocation), completion_option("maglevc"), version_option("maglevc"), words],
        help="Query and control a running maglevd. Without a COMMAND: a shell, or on a pipe one command per line.",
        epilog="You can abbreviate words: `sh ba`. `maglevc help` lists the commands; `?` in place of a word lists the "
        "possible words. You can write long options with one dash too. Exit status: 0, 1 for an error, 2 for a wrong "
        "command.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _candidates(context: click.Context, _parameter: click.Parameter, partial: str) -> Any:
    from maglev_cli.complete import candidates_of  # noqa: PLC0415  (no command needs it)

    return candidates_of(context.params, partial)


def _start(**values: Any) -> int:
    invocation = Invocation.parsed(values)
    from maglev_cli.run import run_lines, run_words  # noqa: PLC0415  (`--help` does without)

    if invocation.words:
        return run_words(invocation)
    if not sys.stdin.isatty():
        return run_lines(invocation, sys.stdin)
    gc.enable()
    from maglev_cli.shell import run_shell  # noqa: PLC0415  (prompt_toolkit takes longer than a command)

    return run_shell(invocation)
