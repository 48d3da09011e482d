"""Writes the reference page of all metrics."""

from __future__ import annotations

from collections.abc import Iterator

from maglev_prometheus.catalogue import FAMILIES, Family
from maglev_prometheus.probes import BOUNDS_S
from maglev_prometheus.text import number

_HEAD = """# Metrics

<!-- Written by `python -m tools.reference` from the catalogue of metrics: change it there. -->

What the exporter `prometheus` serves at `/metrics`, as text or as OpenMetrics. How to set up scraping, alerts and
dashboards: [monitor](../how-to/monitor.md).

- A scrape shows the state of one moment. What a reload removed is gone at the next scrape.
- Counters never go back while maglevd runs; those of a dataplane that restarts continue. The counters of a backend that
  left the configuration are gone after the first scrape without it.
- `maglev_vpp_…` is the configured dataplane, VPP or another. With `--observe` nothing is written, so no operation is
  counted.
- While the dataplane is not connected, its series are absent, except for what maglevd counts itself.
- `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds` and the other metrics of the process
  come last, as every Prometheus client has them.
"""

_COST = """
## How many series

With `B` backends, each in one pool, and `F` frontends: about `12 B + 15 F + 100` series with
`probe-histogram: type`, and `17 B` more with `probe-histogram: backend`.

| 10 000 backends in 500 frontends | `probe-histogram: type` | `probe-histogram: backend` |
|---|---|---|
| series | 114 000 | 278 000 |
| size of a scrape | 10 MB | 27 MB |
| CPU of maglevd, a scrape (`benchmarks/bench_scrape.py`) | 60 ms | 125 ms |
| scraped every 15 s | 0.4 % of a core | 0.8 % of a core |

They cost Prometheus more than maglevd: with more than a few hundred backends choose `type`.
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
