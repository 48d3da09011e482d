"""The command `maglevd`: options, environment, signals, subcommands."""

from maglev.cli.command import command, main

__all__ = ["command", "main"]
