"""Writes the reference page of all metrics."""

from __future__ import annotations

from collections.abc import Iterator

from maglev_prometheus.catalogue import FAMILIES, Family
from maglev_prometheus.probes import BOUNDS_S
from maglev_prometheus.text import number

_HEAD = """# Metrics

<!-- Written by `python -m tools.reference` from the catalogue of metrics: change it there. -->

The exporter `prometheus` serves these metrics at `/metrics`, as text or as OpenMetrics. See [Monitor
maglevd](../how-to/monitor.md) for scraping, alerts and dashboards.

- A scrape shows the state of one moment. Objects that a reload removed are missing from the next scrape on.
- Counters never decrease while maglevd runs, even if the dataplane restarts. The counters of a backend that left the
  configuration are dropped after the first scrape without it.
- `maglev_vpp_…` describes the configured dataplane, VPP or another. With `--observe` maglevd writes nothing, so no
  operation is counted.
- While the dataplane is not connected, its own series are absent. Those that maglevd counts itself stay.
- The usual metrics of the process (`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds`, …)
  come last.
"""

_COST = """
## How many series

With `B` backends, each in one pool, and `F` frontends: about `12 B + 15 F + 100` series with
`probe-histogram: type`, and `17 B` more with `probe-histogram: backend`.

| 10 000 backends in 500 frontends | `probe-histogram: type` | `probe-histogram: backend` |
|---|---|---|
| series | 114 000 | 278 000 |
| size of a scrape | 10 MB | 27 MB |
| CPU of maglevd per scrape (`benchmarks/bench_scrape.py`) | 60 ms | 125 ms |
| the same, scraped every 15 s | 0.4 % of a core | 0.8 % of a core |

The series cost Prometheus more than maglevd. With more than a few hundred backends choose `type`.
"""


def page() -> str:
    """The page, in Markdown."""
    parts = [_HEAD, *_table(), *(_section(family) for family in FAMILIES), _COST]
    return "\n".join(parts).rstrip("\n") + "\n"


def _table() -> Iterator[str]:
    yield "| metric | type | labels | meaning |"
    yield "|---|---|---|---|"
    for family in FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        yield f"| [`{family.name}`](#{family.name}) | {family.kind} | {labels} | {family.help} |"
    yield ""


def _section(family: Family) -> str:
    lines = [f"## {family.name}", "", f"{family.help}. Type: {family.kind}. Series: {family.series}.", ""]
    if family.notes:
        lines += [family.notes, ""]
    if family.kind == "histogram":
        bounds = ", ".join(number(bound).removesuffix(".0") for bound in BOUNDS_S)
        lines += [f"Upper bounds of its buckets, in seconds: {bounds} and +Inf.", ""]
    return "\n".join(lines)
