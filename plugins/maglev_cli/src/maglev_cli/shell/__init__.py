"""`maglevc` as a shell, on prompt_toolkit."""

from maglev_cli.shell.session import run_shell

__all__ = ["run_shell"]
