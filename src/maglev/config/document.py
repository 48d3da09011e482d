"""Reads one YAML document once: its data, and where each value stands."""

from __future__ import annotations

import re
from typing import Any

import attrs
import yaml

from maglev.config.builder import MAX_DEPTH, MAX_EXPANDED, Built, Marks, NotYamlError, build
from maglev.config.faults import NOWHERE, Fault, Path, Position

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORBIDDEN = re.compile(r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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


def read_document(source: str | bytes, file: str = "") -> Document:
    """Parse YAML.

    Args:
        source: Text, or UTF-8 with or without a byte order mark.
        file: Where it came from, for messages.

    Raises:
        NotYamlError: It cannot be read.
    """
    text = _decode(source) if isinstance(source, bytes) else source
    if wrong := _FORBIDDEN.search(text):
        code = f"U+{ord(wrong[0]):04X}"
        raise NotYamlError(f"not YAML: the character {code} is not allowed", _position_in(text, wrong.start()))
    try:
        built: Built = build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        raise _explained(error, text) from error
    except yaml.YAMLError as error:
        raise NotYamlError(f"not YAML: {error}", NOWHERE) from error
    return Document(built.data, built.start, tuple(built.faults), built.marks, file)


def _decode(source: bytes) -> str:
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = source[: error.start].decode("utf-8", "replace")
        message = f"not UTF-8: the byte 0x{source[error.start]:02x} cannot stand here"
        raise NotYamlError(message, _position_in(before, len(before))) from error


def _position_in(text: str, offset: int) -> Position:
    line_start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - line_start + 1


def _explained(error: yaml.MarkedYAMLError, text: str) -> NotYamlError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else NOWHERE
    message = f"not YAML: {error.problem or error.context}"
    if error.problem and error.context and error.context_mark is not None:
        message += f" ({error.context} that began in line {error.context_mark.line + 1})"
    lines = text.split("\n", line)
    if 0 < line <= len(lines) and "\t" in lines[line - 1][:column]:
        message += "; there is a tab here, and only spaces may indent"
    return NotYamlError(message, (line, column))


__all__ = ["MAX_DEPTH", "MAX_EXPANDED", "Document", "NotYamlError", "read_document"]
