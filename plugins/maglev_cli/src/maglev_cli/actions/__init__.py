"""What commands do: each asks maglevd something, and says what its answer looks like."""

from maglev_cli.actions.dispatch import answer
from maglev_cli.actions.watch import watch

__all__ = ["answer", "watch"]
