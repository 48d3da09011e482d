"""Writes the reference page of `maglevt` from the command itself."""

from __future__ import annotations

import json
from datetime import timedelta

from maglev import format_duration
from maglev.probing import JITTER
from maglev_tester import json_summary
from maglev_tester.command import command
from maglev_tester.failover import QUIET_NS, Failover
from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.results import Results
from maglev_tester.screen.dialogs import HELP
from maglev_tester.settings import ProbeSettings
from maglev_tester.tally import FRESH_NS, MOST
from maglev_tester.vips import KIND_OF_PORT, Kind, LeftOut, Vip
from maglev_tester.window import ENOUGH_TO_COMPARE, SIZE, SPIKE_EXTRA_NS, SPIKE_FACTOR
from tools.reference.options import options_table

_MEANINGS = {
    ErrorClass.TIMEOUT: "no answer within `--timeout`; the panel says what was waited for",
    ErrorClass.HTTP: "an answer with a status from 400 on, or one that is not HTTP",
    ErrorClass.NET: "refused, unreachable, reset, closed before the answer was complete, TLS refused",
    ErrorClass.SPIKE: (
        f"a good answer that took {SPIKE_FACTOR} times the median of the window, and {SPIKE_EXTRA_NS // 1_000_000} ms "
        f"more than it; looked for once {ENOUGH_TO_COMPARE} good ones are there. It counts as good"
    ),
    ErrorClass.LOCAL: (
        "this host's own fault: no descriptors, no local port, the process stood still. Not counted as a probe at all"
    ),
}


def page() -> str:
    """Return the page, in Markdown."""
    sections = (
        _introduction(),
        f"## Options\n\n{options_table(command())}\n",
        _kinds(),
        _terms(),
        _errors(),
        _screen(),
        _summary(),
        _ends(),
    )
    return "\n".join(sections)


def _introduction() -> str:
    return f"""\
# maglevt

<!-- Written by `python -m tools.reference` from the command itself: change it there. -->

{command().help}

Every option has an environment variable, and the option wins over it. Long options may be written with one dash too
(`-config x`, `-keepalive=false`).
"""


def _kinds() -> str:
    by_port = {kind: [str(port) for port, known in KIND_OF_PORT.items() if known is kind] for kind in Kind}
    return f"""\
## How a VIP is probed

| VIP | probe |
|---|---|
| TCP, with a health check of type `http` or `https` on the VIP's own port among those of its backends | that one |
| else TCP, port {" or ".join(by_port[Kind.HTTP])} | `http` |
| else TCP, port {" or ".join(by_port[Kind.HTTPS])} | `https` |
| any other TCP | `tcp`: a connection that comes about |
| all ports | as TCP, on the port of the first of its backends' health checks that has one; without one it is left out |
| UDP | left out: silence of a server that got the packet and loss are alike |

`http` and `https` send a GET for `--uri`; a status from 200 to 399 is good. Redirects are not followed. The Host
header, and the name that TLS asks for and checks, are `--host`, else the `host` of that health check, else the VIP's
address. Connections are closed by reset, so that ten probes a second leave no sockets in TIME-WAIT on either side.

A VIP is probed every `--interval`, {JITTER:.0%} more or less, counted from start to start. A probe that takes longer is
followed by the next at once; those that were missed are not made up for. VIPs do not wait for each other.

A VIP that stands in several of the files is probed once. What the files say of plugins, dataplane and exporters is not
judged, and no plugin needs to be installed.
"""


def _terms() -> str:
    return f"""\
## What is counted

- **Latency** is from the first packet to the end of the answer. Percentiles are nearest ranks over the good ones among
  the last {SIZE} probes.
- **OK %** is the share of good probes since the start, or since `r` was pressed. It is never rounded up to 100.
- The **tally** counts answers by the value of `--header`: fresh is who has answered in the last
  {_seconds(FRESH_NS)}, drained who has not. {MOST} values are told apart.
- The **gap** is the longest time from the end of a good answer to the end of the next one with failures between them.
- A **failover** begins with a failed probe and is over when {_seconds(QUIET_NS)} have passed without another. The tally
  has *shifted* when other servers answer than in the {_seconds(QUIET_NS)} before: that took from the first failed
  request to the first answer after the last failed one.
"""


def _errors() -> str:
    rows = [f"| `{error}` | {meaning} |" for error, meaning in _MEANINGS.items()]
    return "\n".join(["## Errors", "", "| class | what it was |", "|---|---|", *rows, ""])


def _screen() -> str:
    return f"""\
## The screen

It needs a terminal of 80×24; probing goes on in a smaller one. Probes run in a process of their own, so that drawing
does not make latencies look longer.

```text
{HELP}```
"""


def _summary() -> str:
    return f"""\
## The summary

Every run ends with one, on standard output. `--output json` gives one object, times in milliseconds and moments in UTC:

```json
{json.dumps(json_summary.summary(_example(), 99.0), indent=2)}
```
"""


def _example() -> Results:
    vip = Vip("web-v4", "203.0.113.80", 80, Kind.HTTP)
    results = Results(
        ProbeSettings((vip,)),
        (LeftOut("dns-v4", "UDP"),),
        clock_ns=lambda: 60_000_000_000,
        wall_ns=lambda: 1_767_225_660 * 10**9,
    )
    results.host, results.started_ns = "client.example.org", 0
    results.add(0, Outcome(100_000_000, 100_420_000, "200", who="nginx0", answered=True))
    results.add(0, Outcome(200_000_000, 200_200_000, "refused", ErrorClass.NET, "connection refused"))
    results.add(0, Outcome(300_000_000, 300_510_000, "200", who="nginx1", answered=True))
    failover: Failover = results.records[0].failovers.seen[0]
    failover.over = True
    return results


def _ends() -> str:
    return """\
## Exit status

| status | meaning |
|---|---|
| 0 | it ran to its end, or was left by `q`, Ctrl-C or a signal |
| 1 | a VIP was good less often than `--min-ok`, or had no judged probe; or the probing process was ended from outside |
| 2 | nothing was probed: a wrong option, a wrong configuration, or no VIP is left after `--filter` |
| 130 | Ctrl-C while it was still loading |
"""


def _seconds(time_ns: int) -> str:
    return format_duration(timedelta(microseconds=time_ns // 1_000))
