"""The command `maglevd`: its subcommands, and the daemon without one."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

import click

from maglev.cli import check, hangup, listing
from maglev.cli.options import Invocation, core_options, plugin_options
from maglev.cli.running import check_running
from maglev.library import installed
from maglev.plugin import PluginManager
from maglev.shell_completion import answered, completion_option
from maglev.single_dash import SingleDashCommand, SingleDashGroup, version_option
from maglev.standard_streams import open_missing


def main() -> None:
    """The entry point of `maglevd`."""
    open_missing()
    made = command(installed())
    if not answered(made):
        made(prog_name="maglevd")


def command(plugins: PluginManager) -> click.Group:
    """Build the command.

    Args:
        plugins: What is installed: plugins bring options of their own.
    """
    return SingleDashGroup(
        "maglevd",
        callback=click.pass_context(partial(_start, plugins=plugins)),
        invoke_without_command=True,
        params=[*core_options(), *plugin_options(plugins), completion_option("maglevd"), version_option("maglevd")],
        commands=[_check, _plugins, _schema, _state, _demo],
        help="Probe backends and keep a Maglev dataplane in sync with them. Without a COMMAND: run the daemon.",
        epilog="Long options may also be written with one dash. MAGLEV_LOAD_PLUGINS=a,b loads only the plugins a and "
        "b; MAGLEV_TRACE_PLUGINS=1 prints the calls to them.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _start(context: click.Context, /, plugins: PluginManager, **values: Any) -> None:
    context.obj = invocation = Invocation.parsed(plugins, values)
    if context.invoked_subcommand is not None:
        hangup.release()
        return
    if values["check"]:
        sys.exit(check.run(invocation))
    from maglev.cli.daemon import run

    sys.exit(run(invocation))


@click.command("check", cls=SingleDashCommand, short_help="Check a configuration")
@click.argument("file", required=False, type=click.Path())
@click.option(
    "--running",
    type=click.IntRange(min=1),
    metavar="PID",
    help="Check the configuration of that running daemon, with the options, environment and working directory that it "
    "was started with",
)
@click.pass_obj
def _check(invocation: Invocation, file: str | None, running: int | None) -> None:
    """Check FILE, or that of --config: exit 0 if valid, 1 for a syntax or type error, 2 for a semantic error."""
    if running is not None:
        if file is not None:
            raise click.UsageError("FILE and --running exclude each other")
        check_running(running)
    sys.exit(check.run(invocation, file))


@click.command("plugins", cls=SingleDashCommand, short_help="List the installed plugins")
@click.pass_obj
def _plugins(invocation: Invocation) -> None:
    """List plugins, what each provides and where it was installed from. Exit 1 if one could not be loaded."""
    click.echo(listing.plugins(invocation.plugins))
    sys.exit(1 if invocation.plugins.problems else 0)


@click.command("schema", cls=SingleDashCommand, short_help="Print the JSON schema of the configuration")
@click.pass_obj
def _schema(invocation: Invocation) -> None:
    """Print the JSON schema of the configuration, for a YAML editor, with what the installed plugins add."""
    from maglev.config import json_schema

    click.echo(json.dumps(json_schema.schema(invocation.plugins), indent=2))


@click.group("state", cls=SingleDashGroup, short_help="Show or reset what commands changed")
def _state() -> None:
    """Show what commands changed and restarts keep, or put it aside; of the directory that --state-dir names."""


@_state.command("show", cls=SingleDashCommand, short_help="Print what is kept")
@click.pass_obj
def _state_show(invocation: Invocation) -> None:
    """Print the overrides that are kept, and who uses the directory. Exit 1 if the file cannot be read."""
    from maglev.cli import state

    sys.exit(state.show(state.directory_of(invocation)))


@_state.command("reset", cls=SingleDashCommand, short_help="Put the file aside")
@click.pass_obj
def _state_reset(invocation: Invocation) -> None:
    """Rename the file, so that the next start has no overrides. Exit 1 while a daemon uses the directory."""
    from maglev.cli import state

    sys.exit(state.reset(state.directory_of(invocation)))


@click.command("demo", cls=SingleDashCommand, short_help="Show failovers on real backends on loopback")
@click.option("--once", is_flag=True, help="Run to the end and exit; with 1 if a prediction failed")
@click.pass_obj
def _demo(invocation: Invocation, *, once: bool) -> None:
    """Show failovers on real backends on loopback, with the dataplane in memory: needs no configuration."""
    from maglev.cli.demo import run

    sys.exit(run(invocation, once=once))
