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
    ErrorClass.TIMEOUT: "no answer within `--timeout`; the panel says what `maglevt` waited for",
    ErrorClass.HTTP: "an answer with a status of 400 or more, or one that is not HTTP",
    ErrorClass.NET: "refused, unreachable, reset, closed before the answer was complete, TLS refused",
    ErrorClass.SPIKE: (
        f"a good answer that took both {SPIKE_FACTOR} times the median of the window and {SPIKE_EXTRA_NS // 1_000_000} "
        f"ms more; detected once there are {ENOUGH_TO_COMPARE} good answers. It counts as good"
    ),
    ErrorClass.LOCAL: (
        "a fault of this host: no descriptors, no local port, the process was stopped. It does not count as a probe"
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

Every option has an environment variable; the option takes precedence. You can write long options with one dash too
(`-config x`, `-keepalive=false`).
"""


def _kinds() -> str:
    by_port = {kind: [str(port) for port, known in KIND_OF_PORT.items() if known is kind] for kind in Kind}
    return f"""\
## How a VIP is probed

| VIP | probe |
|---|---|
| TCP, if a backend has a health check of type `http` or `https` on the VIP's own port | the type of that check |
| else TCP, port {" or ".join(by_port[Kind.HTTP])} | `http` |
| else TCP, port {" or ".join(by_port[Kind.HTTPS])} | `https` |
| any other TCP | `tcp`: an established connection is good |
| all ports | as TCP, on the first port that a backend's health check has; skipped if there is none |
| UDP | skipped: a lost packet cannot be told from a server that does not answer |

`http` and `https` send a GET for `--uri`; a status from 200 to 399 is good. They do not follow redirects. The Host
header and the TLS server name are `--host`, else the `host` of that health check, else the VIP's address. Connections
are closed by reset, so that ten probes a second leave no sockets in TIME-WAIT on either side.

`maglevt` probes a VIP every `--interval`, {JITTER:.0%} more or less, counted from start to start. If a probe takes
longer, the next one starts at once; missed probes are skipped. VIPs do not wait for each other.

A VIP in several of the files is probed once. `maglevt` ignores plugins, dataplane and exporters in the files, and needs
no plugin.
"""


def _terms() -> str:
    return f"""\
## What is counted

- **Latency** is the time from the first packet to the end of the answer. Percentiles are nearest ranks over the good
  probes among the last {SIZE}.
- **OK %** is the share of good probes since the start, or since you pressed `r`. It is never rounded up to 100.
- The **tally** counts answers by the value of `--header`, for up to {MOST} values. A server is *fresh* if it answered
  in the last {_seconds(FRESH_NS)}, otherwise *drained*.
- The **gap** is the longest time from the end of a good answer to the end of the next one, with failures between them.
- A **failover** begins with a failed probe and ends when {_seconds(QUIET_NS)} have passed without another. The tally
  has *shifted* if other servers answer than in the {_seconds(QUIET_NS)} before. The time of the shift runs from the
  first failed request to the first answer after the last failed one.
"""


def _errors() -> str:
    rows = [f"| `{error}` | {meaning} |" for error, meaning in _MEANINGS.items()]
    return "\n".join(["## Errors", "", "| class | cause |", "|---|---|", *rows, ""])


def _screen() -> str:
    return f"""\
## The screen

The screen needs a terminal of 80×24. In a smaller one, probing continues without it. Probes run in a separate process,
so that drawing does not increase the measured latencies.

```text
{HELP}```
"""


def _summary() -> str:
    return f"""\
## The summary

Every run ends with a summary on standard output. `--output json` prints one object, with durations in milliseconds and
times in UTC:

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
| 0 | the run ended, or `q`, Ctrl-C or a signal ended it |
| 1 | too few probes of a VIP were good for `--min-ok`, or none of them counts; or the probing process was killed |
| 2 | nothing was probed: a wrong option, an invalid configuration, or `--filter` left no VIP |
| 130 | Ctrl-C while it was still loading |
"""


def _seconds(time_ns: int) -> str:
    return format_duration(timedelta(microseconds=time_ns // 1_000))
