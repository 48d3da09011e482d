"""`maglevc` as a shell, on prompt_toolkit."""

from maglev_cli.shell.session import shell

__all__ = ["shell"]
