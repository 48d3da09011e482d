"""Writes and reads the page `docs/reference/servers.md`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from tools.servers.behaviour import Behaviour
from tools.servers.catalogue import CHAPTERS

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/servers.md"

_OPENING = """\
# How checks judge odd servers

<!-- Written by `make compare-haproxy`, which runs both: change `tools/servers` instead. -->

Each row is a server on loopback that behaves as described, with the results of the checks `http` and `https` (with
either engine) and of HAProxy {version} (`option httpchk`, the same request, the same timeout and `http-check expect
status 200-299`). The column pattern is the `response-regexp`, and HAProxy's `rstring`. The codes mean the same for
all three: `L7OK` passes, everything else fails.

Both engines read and judge answers with the same code, and a test runs all rows with both. These are the rules:

- **Accepted, as RFC 9110 and 9112 allow a client to:** lines that end in LF alone, a header over several lines, several
  blanks or tabs in the status line, empty lines before it, any HTTP/1.x (one digit), up to {interim} interim answers.
- **Refused only with a pattern:** malformed header lines (a blank before the colon, no colon, a NUL or a CR in it,
  a continuation of no header), a length together with chunks, a transfer coding other than `chunked`, chunks in
  HTTP/1.0, chunk lines that end in LF. Two readers may find different bodies in such an answer, which makes request
  smuggling possible. A check that matches the body must not be deceived. A check of the status does not depend on the
  body.
- **Always refused:** another protocol, an invalid status line, lengths that differ or are not numbers (RFC 9112, 6.3:
  such an answer must be discarded), a head of more than 64 KiB, an answer that ends early.

If the bytes received can no longer become a head, the check fails at once, with the reason, and does not wait for the
timeout.

HTTP/2, redirects and proxies need `engine: httpx`. A redirect to an invalid address or port is a failure. Cookies are
not kept, neither between probes nor between redirects.
"""
_TABLE = "| the server | pattern | lean | httpx | HAProxy | why they differ |\n|---|---|---|---|---|---|"
_ROW = re.compile(r"\| (.*?) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \| (.*?) ?\|")


@attrs.frozen
class Row:
    """The codes that one server got.

    Args:
        lean: From `engine: lean`.
        httpx: From `engine: httpx`.
        haproxy: From HAProxy.
    """

    lean: str
    httpx: str
    haproxy: str

    @property
    def agree(self) -> bool:
        """Whether all pass it, or none."""
        return len({code.endswith("OK") for code in (self.lean, self.httpx, self.haproxy)}) == 1


def text(rows: Sequence[tuple[Behaviour, Row]], version: str, interim: int) -> str:
    """Write the page.

    Args:
        rows: All behaviours, in the order of the catalogue.
        version: The version of HAProxy.
        interim: How many interim answers are accepted.
    """
    agree = sum(row.agree for _, row in rows)
    parts = [_OPENING.format(version=version, interim=interim)]
    parts.append(f"Of {len(rows)} servers, {agree} get the same verdict from all three.")
    by_key = {behaviour.key: row for behaviour, row in rows}
    for chapter, behaviours in CHAPTERS.items():
        parts.append(f"\n## {chapter}\n\n{_TABLE}")
        parts += [_line(behaviour, by_key[behaviour.key]) for behaviour in behaviours]
    return "\n".join(parts) + "\n"


def read(page: str) -> Mapping[tuple[str, str], Row]:
    """Read the rows of a page, by the name and the pattern of the behaviour."""
    found = {}
    for line in page.splitlines():
        match = _ROW.fullmatch(line)
        if match and match[1] not in ("the server", "---"):
            found[match[1], match[2].strip("`")] = Row(match[3], match[4], match[5])
    return found


def _line(behaviour: Behaviour, row: Row) -> str:
    pattern = f"`{behaviour.pattern}`" if behaviour.pattern else ""
    why = "" if row.agree else behaviour.why
    return f"| {behaviour.name} | {pattern} | {row.lean} | {row.httpx} | {row.haproxy} | {why} |"
