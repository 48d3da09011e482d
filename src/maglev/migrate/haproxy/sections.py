"""Reads haproxy.cfg as sections of directives: evaluates conditions, and gives proxies what `defaults` say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from maglev.migrate.bounds import MAX_CHARACTERS, MAX_LINE, MAX_LINES
from maglev.migrate.findings import Findings, Place
from maglev.migrate.haproxy.conditions import Conditions, UnreadableError
from maglev.migrate.haproxy.words import UnendedQuoteError, Variables, split

PROXIES = ("frontend", "backend", "listen", "defaults")
KINDS = (
    *PROXIES, "global", "userlist", "peers", "resolvers", "mailers", "cache", "program", "http-errors", "ring",
    "log-forward", "log-profile", "crt-store", "traces", "fcgi-app", "acme", "healthcheck",
)  # fmt: skip
"""Keywords that begin a section."""
_MESSAGES = (".diag", ".notice", ".warning", ".alert")
_MOST_INHERITED = 5000
"""Directives that a section takes over: a chain of `defaults` could double them without end."""


@attrs.frozen
class Directive:
    """A line of a section.

    Args:
        words: Its words; never empty.
    """

    words: tuple[str, ...]
    place: Place

    @property
    def keyword(self) -> str:
        """The first word."""
        return self.words[0]

    def word(self, position: int) -> str:
        """Return a word; empty if there is none."""
        return self.words[position] if position < len(self.words) else ""


@attrs.define
class Section:
    """A section.

    Args:
        inherited: What holds in it unless it says otherwise: from `defaults`.
        own: Its own directives.
        arguments: What stands behind its name.
    """

    kind: str
    name: str
    place: Place
    arguments: tuple[str, ...] = ()
    inherited: tuple[Directive, ...] = ()
    own: list[Directive] = attrs.field(factory=list)

    @property
    def all(self) -> Iterator[Directive]:
        """All directives that hold here, those from `defaults` first."""
        yield from self.inherited
        yield from self.own


@attrs.define
class _Level:
    """One `.if`: whether its lines hold now, and whether any branch did."""

    holds: bool
    held: bool


@attrs.define
class SectionReader:
    """Reads sections.

    Args:
        findings: Takes what could not be read.
        environment: The variables; `setenv` in the configuration changes a copy.
    """

    findings: Findings
    environment: Mapping[str, str]
    sections: list[Section] = attrs.field(factory=list, init=False)
    _values: dict[str, str] = attrs.field(init=False)
    _levels: list[_Level] = attrs.field(factory=list, init=False)
    _latest: Section | None = attrs.field(default=None, init=False)
    _lines: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._values = dict(self.environment)

    def read(self, files: Sequence[tuple[str, str]]) -> list[Section]:
        """Read all files, one after the other."""
        for file, text in files:
            for number, line in enumerate(text[:MAX_CHARACTERS].splitlines(), 1):
                self._lines += 1
                if self._lines > MAX_LINES:
                    self.findings.left_out(Place(file, number), "the rest", f"at most {MAX_LINES} lines are read")
                    return self.sections
                self._line(line, Place(file, number))
        return self.sections

    def _line(self, line: str, place: Place) -> None:
        section = self.sections[-1] if self.sections else None
        own = {".FILE": place.file, ".LINE": str(place.line), ".SECTION": section.name if section else ""}

        def missing(name: str) -> None:
            self.findings.left_out(place, f"${name}", "the variable is not set in the environment of this command")

        try:
            words = split(line[:MAX_LINE], Variables({**self._values, **own} if "$" in line else {}, missing))
        except UnendedQuoteError:
            self.findings.left_out(place, line.split(None, 1)[0], "a quote has no end: the line is not read")
            return
        if not words:
            return
        if words[0] in (".if", ".elif", ".else", ".endif"):
            self._condition(words, place)
        elif all(level.holds for level in self._levels) and words[0] not in _MESSAGES:
            self._take(words, place)

    def _condition(self, words: list[str], place: Place) -> None:
        levels = self._levels
        if words[0] == ".if":
            holds = self._holds(words, place)
            levels.append(_Level(holds, holds))
        elif not levels:
            self.findings.left_out(place, words[0], "there is no .if before it")
        elif words[0] == ".endif":
            levels.pop()
        else:
            holds = not levels[-1].held and (words[0] == ".else" or self._holds(words, place))
            levels[-1] = _Level(holds, levels[-1].held or holds)

    def _holds(self, words: list[str], place: Place) -> bool:
        def assumed(what: str) -> None:
            self.findings.changed(place, words[0], what)

        try:
            return Conditions(self._values, assumed).holds(" ".join(words[1:]))
        except UnreadableError:
            self.findings.left_out(place, words[0], "its condition could not be read, and is taken as false")
            return False

    def _take(self, words: list[str], place: Place) -> None:
        if words[0] in KINDS:
            self._begin(words, place)
        elif not self.sections:
            self.findings.left_out(place, words[0], "it stands in no section")
        else:
            section = self.sections[-1]
            section.own.append(Directive(tuple(words), place))
            if section.kind == "global":
                self._set(words)

    def _set(self, words: list[str]) -> None:
        match words:
            case ["setenv", name, value, *_]:
                self._values[name] = value
            case ["presetenv", name, value, *_]:
                self._values.setdefault(name, value)
            case ["unsetenv", *names]:
                for name in names:
                    self._values.pop(name, None)
            case ["resetenv", *names]:
                self._values = {name: value for name, value in self._values.items() if name in names}
            case _:
                pass

    def _begin(self, words: list[str], place: Place) -> None:
        kind = words[0]
        name = "" if words[1:2] == ["from"] or len(words) < 2 else words[1]
        rest = words[2 if name else 1 :]
        section = Section(kind, name, place, tuple(rest))
        if kind in PROXIES:
            section.inherited = self._inherited(section, place)
        self.sections.append(section)
        if kind == "defaults":
            self._latest = section

    def _inherited(self, section: Section, place: Place) -> tuple[Directive, ...]:
        """Find what a section has from `defaults`: those it names, else the latest; `defaults` only those it names."""
        if section.arguments[:1] == ("from",):
            wanted = section.arguments[1] if len(section.arguments) > 1 else ""
            section.arguments = section.arguments[2:]
            found = next((one for one in self.sections if one.kind == "defaults" and one.name == wanted), None)
            if found is None:
                self.findings.left_out(place, f"from {wanted}", "there is no such section defaults")
        else:
            found = None if section.kind == "defaults" else self._latest
        return tuple(found.all)[-_MOST_INHERITED:] if found else ()
