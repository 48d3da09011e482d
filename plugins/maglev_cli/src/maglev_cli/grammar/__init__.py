"""The grammar of command lines, pure: what a line means, what can follow it, and how it can be completed."""

from maglev_cli.grammar.line import Split, Token, quoted, split, tokens_of
from maglev_cli.grammar.model import Argument, Form, Part, Place, Word, choice, flag
from maglev_cli.grammar.parser import Candidate, Parsed, WrongCommand, candidates, next_of, parse

__all__ = [
    "Argument",
    "Candidate",
    "Form",
    "Parsed",
    "Part",
    "Place",
    "Split",
    "Token",
    "Word",
    "WrongCommand",
    "candidates",
    "choice",
    "flag",
    "next_of",
    "parse",
    "quoted",
    "split",
    "tokens_of",
]
