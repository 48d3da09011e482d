"""Reads one YAML document once: its data, and where each value stands."""

from __future__ import annotations

import re
from typing import Any

import yaml

from maglev.config.builder import MAX_DEPTH, MAX_EXPANDED, Document, NotYamlError, build
from maglev.config.faults import NOWHERE, Position

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORBIDDEN = re.compile(r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_document(source: str | bytes, file: str = "") -> Document:
    """Parse YAML.

    Bytes are UTF-8 with or without a byte order mark.

    Raises:
        NotYamlError: It cannot be read.
    """
    text = _decode(source) if isinstance(source, bytes) else source
    if wrong := _FORBIDDEN.search(text):
        code = f"U+{ord(wrong[0]):04X}"
        raise NotYamlError(f"not YAML: the character {code} is not allowed", _position_in(text, wrong.start()))
    try:
        return build(yaml.parse(text, Loader=_LOADER), file)
    except yaml.MarkedYAMLError as error:
        raise _explained(error, text) from error
    except yaml.YAMLError as error:
        raise NotYamlError(f"not YAML: {error}", NOWHERE) from error


def _decode(source: bytes) -> str:
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = source[: error.start].decode("utf-8", "replace")
        message = f"not UTF-8: the byte 0x{source[error.start]:02x} is invalid here"
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
        message += "; there is a tab here, but only spaces may indent"
    return NotYamlError(message, (line, column))


__all__ = ["MAX_DEPTH", "MAX_EXPANDED", "Document", "NotYamlError", "read_document"]
