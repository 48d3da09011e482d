"""Puts odd servers before both engines and HAProxy, and writes the page about it.

python -m tools.servers
"""

from __future__ import annotations

import sys

import anyio

from maglev_http.head import MAX_INTERIM
from tools.servers import haproxy, ours, page
from tools.servers.catalogue import BEHAVIOURS
from tools.servers.stage import stage

_TIMEOUT_S = 0.5


def main() -> int:
    """Compare, write the page, and name what lacks an explanation."""
    version = haproxy.version()
    if not version:
        sys.stderr.write("there is no haproxy here to compare with\n")
        return 1
    with stage(_TIMEOUT_S) as ports:
        results = anyio.run(ours.judge, BEHAVIOURS, ports, _TIMEOUT_S)
        opinions = haproxy.judge(BEHAVIOURS, ports, _TIMEOUT_S)
    rows = []
    wrong = 0
    for behaviour, result, opinion in zip(BEHAVIOURS, results, opinions, strict=True):
        row = page.Row(result["lean"].code, result["httpx"].code, opinion.code)
        rows.append((behaviour, row))
        if opinion.up != opinion.code.endswith("OK"):
            wrong += 1
            sys.stderr.write(f"{behaviour.key}: HAProxy has not made up its mind: {opinion}\n")
        if not row.agree and not behaviour.why:
            wrong += 1
            sys.stderr.write(f"{behaviour.key}: {row} lacks an explanation\n")
        if result["lean"].ok != behaviour.up or result["httpx"].ok != behaviour.up:
            wrong += 1
            sys.stderr.write(f"{behaviour.key}: {row} is not what is wanted\n")
        if row.agree and behaviour.why:
            sys.stdout.write(f"{behaviour.key}: {row} needs no explanation\n")
    page.PAGE.write_text(page.text(rows, version, MAX_INTERIM), "utf-8")
    sys.stdout.write(f"wrote {page.PAGE}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
