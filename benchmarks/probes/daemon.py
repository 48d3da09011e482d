"""The process with maglevd in it, as the benchmark holds it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.probes.cases import Case
from benchmarks.probes.subject import Task

ROOT = Path(__file__).parents[2]


class Daemon:
    """A subject under way.

    Args:
        task: What it probes.
    """

    def __init__(self, task: Task) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.probes.subject", json.dumps(attrs.asdict(task))],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the subject has no pipes")
        self._to, self._from = self._process.stdin, self._process.stdout
        self.pid = self._process.pid
        self.start: dict[str, Any] = self._read()

    def ask(self, question: str) -> Any:
        """Ask `reset`, `report` or `down`."""
        self._to.write(question + "\n")
        self._to.flush()
        return self._read()

    def stop(self) -> None:
        """End it."""
        self._to.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)

    def _read(self) -> Any:
        line = self._from.readline()
        if not line:
            raise RuntimeError(f"the subject ended with status {self._process.wait(20)}")
        return json.loads(line)


@contextmanager
def daemon(case: Case, port: int, folder: Path, netns: str | None) -> Iterator[Daemon]:
    """Maglevd making the probes of a case, while the context lasts; every backend has a state when it begins."""
    task = Task(
        kind=case.kind,
        targets=case.targets,
        interval_s=case.interval_s,
        port=None if case.kind == "icmp" else port,
        ca_file=str(folder / "ca.pem"),
        resume=case.resume,
        netns=netns if case.netns else None,
    )
    running = Daemon(task)
    try:
        yield running
    finally:
        running.stop()
