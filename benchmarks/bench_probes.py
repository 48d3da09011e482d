"""Compares probes with HAProxy's checks: CPU, start lateness, memory, time to detection.

maglevd (the real controller, the real checkers, a memory dataplane) and HAProxy probe the same targets at the same
interval from a process each, in turns; a figure is the median of the turns. CPU is the operating system's account of
the whole process, user and system, kernel work included; on loopback that holds half of the servers' network work too,
for both alike. The servers are a third process.

    make bench-probes [BENCH_ARGS=--quick]

Absolute figures belong to the machine and its mood; ratios within one run travel. Written to `build/bench-probes.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.probes import machine
from benchmarks.probes.cases import FULL, QUICK, Case
from benchmarks.probes.detection import detection
from benchmarks.probes.measure import measure
from benchmarks.probes.report import Record, record_of, table
from benchmarks.probes.stage import stage

OUTPUT = Path(__file__).parents[1] / "build" / "bench-probes.json"

_LEGEND: Final = """\
µs: CPU a probe, user and system. HAProxy: its own, as delivered (a thread for each core), then with one thread.
late: starts after they were due, in ms (p99 the median of the turns, max the worst). skipped: starts that came so late
that the schedule moved on (100 ms). KiB each: memory a backend, the controller's included. down: from the death of 200
servers, 1 s interval, fall 3, to the median backend's being down. No Go toolchain is used: net/http is not compared."""


def _dies(case: Case, measured: list[Record], *, quick: bool) -> bool:
    """Whether to take the time to detection: once for each kind."""
    if case.name != case.kind or any(record["name"] == case.name for record in measured):
        return False
    return not quick or case.kind == "http"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute: one short window each, for a first look")
    parser.add_argument("--only", default="", help="names of cases, with commas between")
    options = parser.parse_args()
    if shutil.which("haproxy") is None:
        parser.exit(0, "bench_probes: HAProxy is not installed, and there is nothing to compare with (nor to probe)\n")
    machine.raise_limits()
    wanted = set(filter(None, options.only.split(",")))
    records: list[Record] = []
    with stage() as on:
        for case in QUICK if options.quick else FULL:
            if on.can(case) and (not wanted or case.name in wanted):
                load = machine.load()
                dead = detection(case, on) if _dies(case, records, quick=options.quick) else ([], [])
                records.append(record_of(case, measure(case, on), dead, load))
                print(f"{case.name} on {case.targets}: {records[-1]['cpu_us']} µs a probe", flush=True)
    print(f"\n{table(records)}\n\n{_LEGEND}\n{machine.describe()}")
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(records, indent=2) + "\n")


if __name__ == "__main__":
    main()
