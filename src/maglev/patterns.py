r"""Regular expressions for what a peer sends: RE2, within bounds. Needs google-re2, which maglevd itself does not.

RE2 as it is: `^` and `$` are the ends of the text, `(?m)` makes them those of lines, and `.` takes no newline without
`(?s)`. So an answer that ends in a newline does not match `ok$`, but `ok\n?$`.
"""

from __future__ import annotations

from codecs import utf_8_decode
from functools import lru_cache
from typing import Any, Literal

from maglev.api.secrecy import redacted

MOST_TEXT = 65_536
"""How much text a pattern may be matched with, in bytes."""
MOST_STEPS = 200
"""The most instructions a compiled pattern may have. RE2 takes at most this many steps for each byte: on 64 KiB of the
worst text that is some 30 ms, and less than the 50 ms that the engine counts as a stall."""
MOST_SHOWN = 64
"""How much of an answer a detail may quote, in characters: little, since an answer may hold secrets."""
_AUTOMATON = 1_048_576
"""How much memory, in bytes, RE2 may build its automaton in. More only lets a hostile text keep it building."""
_ESCAPES = [chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in range(256)]
for _character, _escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
    _ESCAPES[ord(_character)] = _escape

Encoding = Literal["utf-8", "latin-1"]


class Pattern:
    """A compiled pattern; made by `compile_pattern`."""

    __slots__ = ("_main", "_of_bytes")

    def __init__(self, main: Any, of_bytes: Any) -> None:
        self._main = main
        self._of_bytes = of_bytes

    def search(self, text: bytes, *, whole: bool = True) -> bool:
        """Tell whether the pattern matches somewhere in a text.

        Args:
            text: At most `MOST_TEXT` bytes.
            whole: Whether the text ends here; if not, half a character at its end is taken for UTF-8.
        """
        if self._main.search(text):
            return True
        return self._of_bytes is not None and not _is_utf8(text, whole) and bool(self._of_bytes.search(text))


def compile_pattern(pattern: str, option: str, encoding: Encoding = "utf-8") -> Pattern:
    r"""Compile a pattern with RE2, which takes time linear in the text whatever the pattern.

    Args:
        pattern: RE2 syntax.
        option: The option that the pattern stands in, for messages.
        encoding: How pattern and text are read. With `latin-1` each byte is a character, and `\xNN` is the byte NN.
            With `utf-8` a text that is no UTF-8 and does not match is also read as Latin-1.

    Raises:
        ValueError: It does not compile, or is too large, or has a character that the encoding has not.
    """
    program = _compile(pattern, option, encoding)
    of_bytes = _for_bytes(pattern, option, program.programsize) if encoding == "utf-8" else None
    steps = program.programsize + (of_bytes.programsize if of_bytes else 0)  # a hostile text is run through both
    if steps > MOST_STEPS:
        raise ValueError(
            f"{option} {pattern!r} would hold up other probes: it has {steps} steps, at most {MOST_STEPS} are allowed; "
            "counted repetitions ({1,99}) multiply, * and + do not; with encoding: latin-1 it takes fewer"
        )
    return Pattern(program, of_bytes)


def shown(text: bytes | bytearray, secrets: tuple[str, ...] = ()) -> str:
    """Quote the beginning of what a peer sent, for a detail.

    Printable ASCII stands for itself and all else is escaped, so that it is safe wherever it is shown, and can be
    copied into a pattern.

    Args:
        text: What it sent.
        secrets: What must not be shown, should the peer repeat it; bytes are characters, as in Latin-1.
    """
    if not text:
        return "nothing"
    if secrets:
        text = _without(bytes(text[: 3 * MOST_SHOWN]), secrets) + text[3 * MOST_SHOWN :]
    quoted = ""
    for byte in text[:MOST_SHOWN]:
        if len(quoted) + len(_ESCAPES[byte]) > MOST_SHOWN:
            break
        quoted += _ESCAPES[byte]
    whole = len(text) <= MOST_SHOWN and quoted == "".join(_ESCAPES[byte] for byte in text)
    return f'"{quoted}"' if whole else f'"{quoted}" and more'


@lru_cache(maxsize=1024)  # many backends fail with one answer, all at a time
def _without(text: bytes, secrets: tuple[str, ...]) -> bytes:
    return redacted(text.decode("latin-1"), secrets).encode("latin-1", "replace")


def _compile(pattern: str, option: str, encoding: Encoding) -> Any:
    import re2  # noqa: PLC0415 - a library of the plugins that use this module

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _AUTOMATON
    options.encoding = re2.Options.Encoding.LATIN1 if encoding == "latin-1" else re2.Options.Encoding.UTF8
    try:
        return re2.compile(pattern.encode(encoding), options)
    except UnicodeEncodeError as error:
        raise ValueError(f"{option} {pattern!r} has a character that {encoding} has not") from error
    except re2.error as error:
        reason = error.args[0] if error.args else b"not RE2"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"{option} {pattern!r} is not an RE2 pattern: {text}") from error


def _for_bytes(pattern: str, option: str, steps: int) -> Any:
    """Compile a pattern for text that is no UTF-8; `None` where that would match nothing more."""
    try:
        program = _compile(pattern, option, "latin-1")
    except ValueError:  # it asks for a character beyond Latin-1
        return None
    # Characters beyond ASCII take more steps in UTF-8: of a pattern without any both programs are the same.
    return None if program.programsize == steps else program


def _is_utf8(text: bytes, whole: bool) -> bool:  # noqa: FBT001 - as the function that it calls
    try:
        utf_8_decode(text, "strict", whole)
    except UnicodeDecodeError:
        return False
    return True
