"""Builds data from a YAML parser's events, and notes where everything stands.

From events rather than from the parser's nodes: that needs no recursion (some kilobytes of brackets overflow the stack
of PyYAML's composer and end the process), bounds what aliases stand for, sees duplicate keys, and takes half the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
import yaml

from maglev.config.faults import NOWHERE, Fault, Path, Position
from maglev.config.scalars import resolve

MAX_DEPTH = 50
MAX_EXPANDED = 200_000
"""How many values all aliases together may stand for: more is a bomb, not a configuration."""

_STANDARD_TAGS = {None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}

Marks = dict[str | int, tuple[Position, Position]]
"""Where the key and the value stand, for each key of a mapping or position of a list."""


class NotYamlError(Exception):
    """Text that cannot be read at all."""

    def __init__(self, message: str, position: Position) -> None:
        self.message = message
        self.position = position
        super().__init__(message)


@attrs.define(eq=False)
class Document:
    """One parsed document.

    Args:
        data: Mappings, lists and scalars; an alias is the very object that it names.
        start: Where the data begins.
        faults: What is wrong with it as YAML, but does not keep it from being read further (duplicate keys, tags).
        marks: Where keys and values stand, by the identity of their mapping or list.
        file: The file's name, for messages.
    """

    data: Any = None
    start: Position = NOWHERE
    faults: tuple[Fault, ...] = ()
    marks: dict[int, Marks] = attrs.field(factory=dict)
    file: str = ""

    def place(self, path: Path, *, at_key: bool = False) -> Position:
        """Tell where a value (or its key) stands; for one that is absent, where that begins which should hold it."""
        node, position = self.data, self.start
        for depth, step in enumerate(path, 1):
            marks = self.marks.get(id(node), {}) if isinstance(node, dict | list) else {}
            if step not in marks:
                break
            key, value = marks[step]
            position = key if at_key and depth == len(path) else value
            node = node[step]
        return position


@attrs.define(eq=False)
class _List:
    """A list that is still open."""

    position: Position
    anchor: str | None
    data: list[Any] = attrs.field(factory=list)
    marks: Marks = attrs.field(factory=dict)
    size: int = 1

    awaits_key = False

    @property
    def step(self) -> str | int | None:
        return len(self.data)

    def put(self, value: Any, position: Position) -> str:
        self.marks[len(self.data)] = (position, position)
        self.data.append(value)
        return ""


@attrs.define(eq=False)
class _Mapping:
    """A mapping that is still open."""

    position: Position
    anchor: str | None
    data: dict[str, Any] = attrs.field(factory=dict)
    marks: Marks = attrs.field(factory=dict)
    size: int = 1
    step: str | None = None
    """The key whose value is awaited."""
    step_position: Position = NOWHERE
    merges: list[dict[str, Any]] = attrs.field(factory=list)

    @property
    def awaits_key(self) -> bool:
        return self.step is None

    def put(self, value: Any, position: Position) -> str:
        """Take a key or a value.

        Returns:
            What is wrong with a key that was taken all the same.
        """
        if self.step is None:
            if not isinstance(value, str):
                raise NotYamlError("a key must be a plain word", position)
            self.step, self.step_position = value, position
            known = self.marks.get(value)
            return f"the key {value!r} is repeated; the first is in line {known[0][0]}" if known else ""
        if self.step == "<<":
            self.merges += _merge_sources(value, position)
        elif self.step not in self.data:
            self.data[self.step] = value
            self.marks[self.step] = (self.step_position, position)
        self.step = None
        return ""

    def merge(self, source: dict[str, Any], marks: Marks) -> None:
        """Take over what a merged mapping (`<<: *defaults`) says and this one does not."""
        for key, value in source.items():
            if key not in self.data:
                self.data[key] = value
                self.marks[key] = marks[key]


def _merge_sources(value: Any, position: Position) -> list[dict[str, Any]]:
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        raise NotYamlError("<< merges mappings: the alias of one, or a list of such aliases, must follow", position)
    return sources


def _position(event: Any) -> Position:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1


class _Builder:
    """Takes one event at a time."""

    def __init__(self, file: str) -> None:
        self.document = Document(file=file)
        self.faults: list[Fault] = []
        self._open: list[_List | _Mapping] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._expanded = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent:
            self._begin(_Mapping(_position(event), event.anchor), event)
        elif kind is yaml.SequenceStartEvent:
            self._begin(_List(_position(event), event.anchor), event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._end()
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                raise NotYamlError("a second document begins here: only one is allowed", _position(event))

    def _scalar(self, event: Any) -> None:
        position = _position(event)
        is_text = bool(event.style) or event.tag is not None or (bool(self._open) and self._open[-1].awaits_key)
        value = event.value if is_text else resolve(event.value)
        self._check_tag(event, position)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        self._put(value, position, 1)

    def _begin(self, container: _List | _Mapping, event: Any) -> None:
        if len(self._open) == MAX_DEPTH:
            raise NotYamlError(f"nested more than {MAX_DEPTH} deep", container.position)
        if self._open and self._open[-1].awaits_key:
            raise NotYamlError("a key must be a plain word, not a list or a mapping", container.position)
        self._check_tag(event, container.position)
        self._open.append(container)

    def _end(self) -> None:
        container = self._open.pop()
        if isinstance(container, _Mapping):
            for source in container.merges:
                container.merge(source, self.document.marks[id(source)])
        self.document.marks[id(container.data)] = container.marks
        if container.anchor is not None:
            self._anchors[container.anchor] = (container.data, container.size)
        self._put(container.data, container.position, container.size)

    def _alias(self, event: Any) -> None:
        position = _position(event)
        if any(container.anchor == event.anchor for container in self._open):
            raise NotYamlError("this alias is inside the value that it names", position)
        if event.anchor not in self._anchors:
            # Its name is not repeated: a password that begins with * is read as one.
            message = "this alias has no anchor before it; text that begins with * needs quotes"
            raise NotYamlError(message, position)
        value, size = self._anchors[event.anchor]
        self._expanded += size
        if self._expanded > MAX_EXPANDED:
            raise NotYamlError(f"aliases expand to more than {MAX_EXPANDED} values", position)
        self._put(value, position, size)

    def _put(self, value: Any, position: Position, size: int) -> None:
        if not self._open:
            self.document.data, self.document.start = value, position
            return
        container = self._open[-1]
        container.size += size
        if wrong := container.put(value, position):
            self._complain(wrong, position)

    def _check_tag(self, event: Any, position: Position) -> None:
        if event.tag not in _STANDARD_TAGS:
            message = "this tag is unknown: only plain YAML is allowed; text that begins with ! needs quotes"
            self._complain(message, position)

    def _complain(self, message: str, position: Position) -> None:
        path: Path = tuple(container.step for container in self._open if container.step is not None)
        self.faults.append(Fault(path, message, position=position))


def build(events: Iterable[Any], file: str) -> Document:
    """Build one document from a parser's events.

    Raises:
        NotYamlError: It is more than one document, nested too deeply, a bomb of aliases, or has odd keys.
    """
    builder = _Builder(file)
    for event in events:
        builder.take(event)
    builder.document.faults = tuple(builder.faults)
    return builder.document
