"""Judges answers by their status and body, with results that are built once."""

from __future__ import annotations

from http import HTTPStatus

from maglev.api import Code, Done, ProbeResult, secrets_of
from maglev.patterns import compile_pattern, shown
from maglev_http.body import LIMIT
from maglev_http.codes import parse_codes
from maglev_http.options import HttpOptions


class Verdicts:
    """Judges the answers of all backends of one health check, by `response_code` and `response_regexp`.

    Raises:
        ValueError: The pattern does not compile.
    """

    def __init__(self, options: HttpOptions) -> None:
        self.codes = parse_codes(options.response_code)
        self.pattern = None
        if options.response_regexp:
            self.pattern = compile_pattern(options.response_regexp, "response-regexp", options.encoding)
        self._secrets = tuple(secrets_of(options))
        self._wanted = str(options.response_code).replace(" ", "")
        self._of_status: dict[int, Done] = {}
        self.known: dict[bytes, Done] = {}
        """The verdict on a response by its first 13 bytes, for the quick path; filled as statuses are met."""

    def of_status(self, status: int) -> Done:
        """Judge a status alone."""
        done = self._of_status.get(status)
        if done is None:
            done = self._of_status[status] = Done(self._status_result(status), orderly=True)
            if status >= 200:
                for minor in b"0", b"1":
                    self.known[b"HTTP/1." + minor + b" %d " % status] = done
        return done

    def of_content(self, status: int, content: bytes) -> Done:
        """Judge a wanted status's body, or the first `LIMIT` bytes of it."""
        if self.pattern is None or self.pattern.search(content, whole=len(content) < LIMIT):
            return self.of_status(status)
        where = f"the first {LIMIT // 1024} KiB of the body do" if len(content) >= LIMIT else "the body does"
        detail = f"status {status}, but {where} not match response-regexp: {shown(content, self._secrets)}"
        return Done(ProbeResult(Code.L7RSP, detail), orderly=True)

    def _status_result(self, status: int) -> ProbeResult:
        name = f"status {status}"
        if status in HTTPStatus.__members__.values():
            name += f" {HTTPStatus(status).phrase}"
        if status in self.codes:
            return ProbeResult(Code.L7OK, name)
        return ProbeResult(Code.L7STS, f"{name}, wanted {self._wanted}")
