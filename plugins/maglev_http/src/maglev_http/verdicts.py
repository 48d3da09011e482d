"""What an answer is worth: statuses and patterns, with the results built once."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import re2

from maglev.api import Code, Done, ProbeResult
from maglev_http.body import LIMIT
from maglev_http.codes import parse_codes
from maglev_http.options import HttpOptions

MOST_STEPS = 200
"""The most instructions a compiled pattern may have. RE2 takes at most this many steps for each byte: on 64 KiB of the
worst text that is some 30 ms, and less than the 50 ms that the engine counts as a stall."""
_AUTOMATON = 1_048_576
"""How much memory, in bytes, RE2 may build its automaton in. More only lets a hostile text keep it building."""


def compile_pattern(pattern: str) -> Any:
    """Compile a pattern with RE2, which takes time linear in the text whatever the pattern.

    Args:
        pattern: RE2 syntax. Text and pattern are taken as UTF-8.

    Returns:
        A compiled pattern with `search(bytes)`.

    Raises:
        ValueError: It does not compile, or is too large.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _AUTOMATON
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error as error:
        reason = error.args[0] if error.args else b"not RE2"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"response-regexp {pattern!r} is no RE2 pattern: {text}") from error
    if compiled.programsize > MOST_STEPS:
        raise ValueError(
            f"response-regexp {pattern!r} would hold up other probes: it has {compiled.programsize} steps, at most "
            f"{MOST_STEPS} are allowed; counted repetitions ({{1,99}}) multiply, * and + do not"
        )
    return compiled


class Verdicts:
    """Judges the answers of all backends of one health check.

    Args:
        options: Their `response_code` and `response_regexp`.

    Raises:
        ValueError: The pattern does not compile.
    """

    def __init__(self, options: HttpOptions) -> None:
        self.codes = parse_codes(options.response_code)
        self.pattern = compile_pattern(options.response_regexp) if options.response_regexp else None
        self._wanted = str(options.response_code).replace(" ", "")
        self._of_status: dict[int, Done] = {}
        self.known: dict[bytes, Done] = {}
        """What to make of a response from its first 13 bytes; filled as statuses are met, for the quick path."""

    def of_status(self, status: int) -> Done:
        """Judge a status alone."""
        done = self._of_status.get(status)
        if done is None:
            done = self._of_status[status] = Done(self._status_result(status))
            if status >= 200:
                for minor in b"0", b"1":
                    self.known[b"HTTP/1." + minor + b" %d " % status] = done
        return done

    def of_content(self, status: int, content: bytes) -> Done:
        """Judge a wanted status's body.

        Args:
            status: One of the wanted ones.
            content: The body, or its first `LIMIT` bytes.
        """
        if self.pattern is None or self.pattern.search(content):
            return self.of_status(status)
        where = f"the first {LIMIT // 1024} KiB of the body do" if len(content) >= LIMIT else "the body does"
        return Done(ProbeResult(Code.L7RSP, f"status {status}, but {where} not match response-regexp"))

    def _status_result(self, status: int) -> ProbeResult:
        name = f"status {status}"
        if status in HTTPStatus.__members__.values():
            name += f" {HTTPStatus(status).phrase}"
        if status in self.codes:
            return ProbeResult(Code.L7OK, name)
        return ProbeResult(Code.L7STS, f"{name}, wanted {self._wanted}")
