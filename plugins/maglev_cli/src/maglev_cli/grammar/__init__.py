"""The grammar of command lines, pure: what a line means, what may follow it, and how it can be completed."""

from maglev_cli.grammar.follow import Offer, follow, offers
from maglev_cli.grammar.line import Split, Token, quoted, split, tokens_of
from maglev_cli.grammar.model import Argument, Node, Word, argument, word
from maglev_cli.grammar.parser import Parsed, State, WrongCommand, parse

__all__ = [
    "Argument",
    "Node",
    "Offer",
    "Parsed",
    "Split",
    "State",
    "Token",
    "Word",
    "WrongCommand",
    "argument",
    "follow",
    "offers",
    "parse",
    "quoted",
    "split",
    "tokens_of",
    "word",
]
