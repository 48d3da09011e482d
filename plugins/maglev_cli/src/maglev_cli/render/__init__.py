"""Views and messages as text."""

from maglev_cli.render.output import Output, one_line

__all__ = ["Output", "one_line"]
