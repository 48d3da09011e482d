"""What commands do: each asks maglevd something, and says what its answer looks like."""

from maglev_cli.actions.answer import Answer
from maglev_cli.actions.dispatch import LOCAL, perform

__all__ = ["LOCAL", "Answer", "perform"]
