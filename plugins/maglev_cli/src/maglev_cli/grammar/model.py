"""The values that a grammar of command lines is made of.

A form is one way to write a command: a place for each word or value, one after the other, then flags in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

Check = Callable[[str], object]
"""Takes an argument's text; raises `ValueError`, saying what is allowed, if that is not it."""


@attrs.frozen
class Word:
    """A fixed word.

    Args:
        text: The word.
        help: What it is for, in one line.
        name: Under which the word is found once a line is parsed; empty: it is not kept.
    """

    text: str
    help: str
    name: str = ""

    @property
    def label(self) -> str:
        return self.text


@attrs.frozen
class Argument:
    """A place for a value.

    Args:
        name: Under which the value is found once a line is parsed.
        help: What it is, in one line.
        shown: What stands between the angle brackets where syntax is shown; the name if empty.
        source: Which live names fit here: `backend`, `frontend`, `pool`, `member`, `healthcheck`; empty for none.
        check: What a value must pass; none: any text will do.
    """

    name: str
    help: str
    shown: str = ""
    source: str = ""
    check: Check | None = None

    @property
    def label(self) -> str:
        """Its text in a syntax line."""
        return f"<{self.shown or self.name}>"

    def problem(self, text: str) -> str:
        """Say why a text is no value for it; empty if it is one."""
        if not text:
            return f"{self.label} must not be empty"
        if self.check is None:
            return ""
        try:
            self.check(text)
        except ValueError as error:
            return f"{self.label} {text!r}: {error}"
        return ""


Item = Word | Argument
Place = tuple[Item, ...]
"""What may stand at one place of a line."""


@attrs.frozen
class Part:
    """Places one after the other.

    Args:
        places: The places.
        least: How many of them a line must have; what comes after these comes all or not at all.
    """

    places: tuple[Place, ...]
    least: int

    def is_complete(self, count: int) -> bool:
        """Whether a line may stop after some places."""
        return count in (self.least, len(self.places))

    @property
    def syntax(self) -> str:
        """Its syntax, as `log [level debug|info]`."""
        labels = ["|".join(item.label for item in place) for place in self.places]
        optional = [f"[{' '.join(labels[self.least :])}]"] if self.least < len(labels) else []
        return " ".join([*labels[: self.least], *optional])

    @property
    def items(self) -> tuple[Item, ...]:
        """Everything that may stand in it."""
        return tuple(item for place in self.places for item in place)


@attrs.frozen
class Form:
    """One way to write a command.

    Args:
        words: Its words and arguments.
        help: What the command does.
        action: What is done, as `maglev_cli.actions` lists it.
        flags: What may follow in any order, each once; each begins with a word of its own.
        is_shown: Whether help and completion offer it; if not, it is another spelling of one that they do.
    """

    words: Part
    help: str
    action: str
    flags: tuple[Part, ...] = ()
    is_shown: bool = True

    @property
    def syntax(self) -> str:
        """Its syntax, as `show backend <backend>`; optional parts are in brackets."""
        return " ".join([self.words.syntax, *(f"[{flag.syntax}]" for flag in self.flags)])


def flag(text: str, help: str, *then: Place, optional: bool = False) -> Part:  # noqa: A002  (what it is)
    """Make a flag of its word and the places after that, which may be `optional`. The word is also its name."""
    return Part(((Word(text, help, name=text),), *then), 1 if optional else 1 + len(then))


def choice(name: str, helps: Mapping[str, str]) -> Place:
    """Make a place for one of some words, from what each is for; `name` is under which the word is found."""
    return tuple(Word(text, told, name) for text, told in helps.items())
