"""Regular expressions for what a peer sends: RE2, within bounds. Needs google-re2, which maglevd itself does not."""

from __future__ import annotations

from typing import Any

MOST_TEXT = 65_536
"""How much text a pattern may be matched with, in bytes."""
MOST_STEPS = 200
"""The most instructions a compiled pattern may have. RE2 takes at most this many steps for each byte: on 64 KiB of the
worst text that is some 30 ms, and less than the 50 ms that the engine counts as a stall."""
_AUTOMATON = 1_048_576
"""How much memory, in bytes, RE2 may build its automaton in. More only lets a hostile text keep it building."""


def compile_pattern(pattern: str, option: str) -> Any:
    """Compile a pattern with RE2, which takes time linear in the text whatever the pattern.

    Args:
        pattern: RE2 syntax. Text and pattern are taken as UTF-8.
        option: The option that the pattern stands in, for messages.

    Returns:
        A compiled pattern with `search(bytes)`.

    Raises:
        ValueError: It does not compile, or is too large.
    """
    import re2  # noqa: PLC0415 - a library of the plugins that use this module

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _AUTOMATON
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        reason = error.args[0] if error.args else b"not RE2"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"{option} {pattern!r} is no RE2 pattern: {text}") from error
    if compiled.programsize > MOST_STEPS:
        raise ValueError(
            f"{option} {pattern!r} would hold up other probes: it has {compiled.programsize} steps, at most "
            f"{MOST_STEPS} are allowed; counted repetitions ({{1,99}}) multiply, * and + do not"
        )
    return compiled
