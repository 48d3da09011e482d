"""Gives the lines of a keepalived.conf, with includes, conditions, variables and sequences resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

import attrs

from maglev.migrate.bounds import MAX_CHARACTERS, MAX_DEPTH, MAX_LINE, MAX_LINES, Include, no_include
from maglev.migrate.findings import Findings, Place

_DEFINITION = re.compile(r"\$([A-Za-z_]\w*)[ \t]*=[ \t]*(.*)", re.ASCII | re.DOTALL)
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)((?:[ \t][^{}]*)?)\}|\$([A-Za-z_]\w*)(?=[ \t]|$)", re.ASCII)
_CONDITION = re.compile(r"@(\^?)([^ \t]*)[ \t]*(.*)", re.DOTALL)
_INCLUDE = re.compile(r"include[rmwba]?[ \t]+(.+)")
_SEQUENCE = re.compile(r"~SEQ(x?)[ \t]*\(([^,()]*),([^()]*)\)[ \t]*(.*)", re.DOTALL)
_LIST = re.compile(r"~LST[ \t]*\((\{[^{}]*\}|[^,(){}]*),([^()]*)\)[ \t]*(.*)", re.DOTALL)
_ITEM = re.compile(r"\{([^{}]*)\}|([^,{}]+)")
_COMMENT = re.compile(r'"[^"]*"?|\\.|[!#].*', re.DOTALL)


@attrs.frozen
class Line:
    """One line that says something."""

    text: str
    place: Place


@attrs.define
class _Budget:
    lines: int
    characters: int

    def take(self, text: str) -> bool:
        self.lines -= 1
        self.characters -= len(text)
        return self.lines >= 0 and self.characters >= 0


@attrs.define
class Lines:
    """Reads lines; what it cannot resolve it reports.

    Args:
        findings: Takes what could not be resolved.
        config_id: What keepalived is started with by `-i`: lines that begin with `@` depend on it.
        environment: What `${_ENV NAME}` stands for.
        include: Reads other files.
    """

    findings: Findings
    config_id: str = ""
    environment: Mapping[str, str] = attrs.field(factory=dict)
    include: Include = no_include
    _open: list[str] = attrs.field(factory=list, init=False)
    _values: dict[str, str] = attrs.field(factory=dict, init=False)
    _budget: _Budget = attrs.field(factory=lambda: _Budget(MAX_LINES, MAX_CHARACTERS), init=False)
    _full: bool = attrs.field(default=False, init=False)

    def of_text(self, text: str, file: str, depth: int = 0) -> Iterator[Line]:
        """Give the lines of a text and of what it includes."""
        self._open.append(file)
        yield from self._of_open(text, file, depth)
        self._open.pop()

    def _of_open(self, text: str, file: str, depth: int) -> Iterator[Line]:
        definition, began = "", Place(file, 1)
        for number, raw in enumerate(text.splitlines(), 1):
            place = Place(file, number)
            line = without_comment(raw)
            if definition:
                definition += "\n" + line.removesuffix("\\").strip()
                if not line and definition.count("{") > definition.count("}"):
                    continue
            elif line and not self._full:
                if line.endswith("\\"):
                    definition, began = line[:-1].rstrip(), place
                else:
                    yield from self._line(line, place, depth)
                continue
            if definition and not line.endswith("\\"):
                yield from self._line(definition, began, depth)
                definition = ""
        if definition:
            yield from self._line(definition, began, depth)

    def _line(self, text: str, place: Place, depth: int) -> Iterator[Line]:
        if self._full or not self._fits(text, place, depth):
            return
        if found := _INCLUDE.fullmatch(text):
            yield from self._included(found[1].strip().strip('"'), place, depth)
        elif found := _CONDITION.fullmatch(text):
            if self._holds(found[2], place, negated=bool(found[1])) and found[3]:
                yield from self._line(found[3], place, depth + 1)
        elif found := _DEFINITION.fullmatch(text):
            self._values[found[1]] = found[2]
        elif text.startswith("~"):
            yield from self._repeated(text, place, depth)
        else:
            yield from self._resolved(text, place, depth)

    def _fits(self, text: str, place: Place, depth: int) -> bool:
        if len(text) > MAX_LINE or depth > MAX_DEPTH:
            self.findings.left_out(place, text.split(None, 1)[0], "the line is too long, or nested too deep")
            return False
        if not self._budget.take(text):
            self._full = True
            self.findings.left_out(place, "the rest", f"a configuration of more than {MAX_LINES} lines is not read on")
        return not self._full

    def _resolved(self, text: str, place: Place, depth: int) -> Iterator[Line]:
        resolved = _VARIABLE.sub(lambda found: self._value(found, place), text)
        if resolved == text:
            yield Line(text, place)
            return
        for one in resolved.split("\n"):
            if one.strip():
                yield from self._line(one.strip(), place, depth + 1)

    def _value(self, found: re.Match[str], place: Place) -> str:
        name, argument = found[1] or found[3], (found[2] or "").strip()
        if name in self._values:
            return self._values[name]
        match name:
            case "_ENV":
                return self.environment.get(argument, "")
            case "_PWD":
                return str(PurePath(place.file).parent)
            case "_INSTANCE":
                return self.config_id
            case "_RANDOM":
                return str(_lowest(argument))
            case "_HASH" | "_BANG":
                return "#" if name == "_HASH" else "!"
            case _:
                self.findings.left_out(place, f"${name}", "the variable is not defined")
                return found[0].replace("$", "")

    def _holds(self, wanted: str, place: Place, *, negated: bool) -> bool:
        if not self.config_id:
            self.findings.left_out(
                place, "@", "lines that begin with @ depend on keepalived's option -i: say it by --config-id"
            )
        return (wanted == self.config_id) != negated

    def _included(self, pattern: str, place: Place, depth: int) -> Iterator[Line]:
        files = self.include(pattern, place.file)
        if not files:
            self.findings.left_out(place, f"include {pattern}", "no such file can be read")
        for name, text in files:
            if name in self._open:
                self.findings.left_out(place, f"include {pattern}", f"{name} would include itself")
            else:
                yield from self.of_text(text, name, depth + 1)

    def _repeated(self, text: str, place: Place, depth: int) -> Iterator[Line]:
        if found := _SEQUENCE.fullmatch(text):
            bounds = _VARIABLE.sub(lambda one: self._value(one, place), found[3])
            values = _sequence(bounds)
            names, rest = [found[2].strip()], found[4]
            sets: Iterable[tuple[str, ...]] = ((f"{value:x}" if found[1] else str(value),) for value in values)
        elif found := _LIST.fullmatch(text):
            names, rest = _items(found[1]), found[3]
            sets = [tuple(_items(one[1] or one[2])) for one in _ITEM.finditer(found[2]) if one[0].strip()]
        else:
            self.findings.left_out(place, text.split("(", 1)[0], "what it repeats could not be read")
            return
        for values_of_one in sets:
            if self._full:
                return
            self._values.update(zip(names, values_of_one, strict=False))
            yield from self._line(rest, place, depth + 1) if rest else ()


def without_comment(raw: str) -> str:
    r"""Cut the comment off a line, and blanks at its ends; `\#` and `\!` are characters."""

    def kept(found: re.Match[str]) -> str:
        text = found[0]
        if text[0] in "!#":
            return ""
        return text[1] if text in (r"\#", r"\!") else text

    return _COMMENT.sub(kept, raw).strip()


def _items(text: str) -> list[str]:
    return [one.strip() for one in text.strip("{}").split(",")]


def _sequence(bounds: str) -> range:
    """Read `end`, `start, end` or `start, step, end`; empty if they are no numbers or lead nowhere."""
    try:
        numbers = [int(one.strip(), 0) for one in bounds.split(",")]
    except ValueError:
        return range(0)
    match numbers:
        case [end]:
            start, step = (-1, -1) if end < 0 else (1, 1)
        case [start, end]:
            step = 1 if start <= end else -1
        case [start, step, end] if step:
            pass
        case _:
            return range(0)
    return range(start, end + (1 if step > 0 else -1), step)


def _lowest(argument: str) -> int:
    """Take the lowest number of the range: an import gives the same each time."""
    found = re.match(r"[0-9]{1,9}", argument)
    return int(found[0]) if found else 0
