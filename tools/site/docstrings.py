"""Turns docstrings, which are written like Markdown, into the reStructuredText that Sphinx reads."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`(?P<text>[^`]+)`(?!`)")
_BOLD_SPAN = re.compile(r"\*\*(`[^`]+`)\*\*")  # reStructuredText nests no markup
_POWER = re.compile(r"(?<=\w)\*\*(?=\w)")
_MAY_FOLLOW = re.compile(r"""$|[\s'")\]}>\-/\\:.,;!?]""")
_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*")


def to_rest(lines: Sequence[str]) -> list[str]:
    """Convert fences to code blocks, and `spans` to literals, or to the role `name` if they may name an object.

    Args:
        lines: The lines of a docstring.
    """
    text = "\n".join(lines)
    parts: list[str] = []
    end = 0
    for fence in _FENCE.finditer(text):
        parts += [_prose(text[end : fence.start()]), _code_block(fence)]
        end = fence.end()
    return "".join([*parts, _prose(text[end:])]).split("\n")


def _prose(text: str) -> str:
    return _SPAN.sub(_span, _BOLD_SPAN.sub(r"\1", _POWER.sub(r"\*\*", text)))


def _span(match: re.Match[str]) -> str:
    text = " ".join(match["text"].split())
    written = f":name:`{text}`" if _NAME.fullmatch(text) else f"``{text}``"
    # Only blanks and some punctuation may follow a span in reStructuredText; an escaped blank is none to the reader.
    return written if _MAY_FOLLOW.match(match.string, match.end()) else rf"{written}\ "


def _code_block(fence: re.Match[str]) -> str:
    indent = fence["indent"]
    code = "\n".join(f"   {line}".rstrip() for line in fence["code"].splitlines())
    return f"{indent}.. code-block:: {fence['language'] or 'text'}\n\n{code}\n"
