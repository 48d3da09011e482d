"""VPPs to test with: stand-ins always, and a real one if the environment names it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from maglev_vpp import Timings, VppDataplane
from plugins.maglev_vpp.tests.standin.harness import Process, RealVpp, Standin

BINARY, PLUGINS = os.environ.get("MAGLEV_TEST_VPP", ""), os.environ.get("MAGLEV_TEST_VPP_PLUGINS", "")
KINDS = ["stand-in", *(["real VPP"] if BINARY else [])]
SHORT_TIMINGS = Timings(call_s=0.5, dump_s=2.0, connect_s=2.0, wait_s=5.0, poll_s=0.05, ping_every_s=0.2)
"""For tests in which one side does not answer."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    real = f"a real VPP ({BINARY})" if BINARY else "no real VPP (MAGLEV_TEST_VPP and MAGLEV_TEST_VPP_PLUGINS name one)"
    terminalreporter.write_line(f"the tests of maglev-vpp ran against the stand-in and {real}")


@pytest.fixture(scope="module")
def module_folder() -> Iterator[Path]:
    """A folder whose name is short enough for unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="mv-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Another, for one test."""
    folder = Path(tempfile.mkdtemp(prefix="mv-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module", params=KINDS)
async def vpp(request: pytest.FixtureRequest, module_folder: Path) -> AsyncIterator[Process]:
    """A VPP of each kind, for all tests of a module."""
    kind: str = request.param
    process = Standin(module_folder) if kind == "stand-in" else RealVpp(module_folder, BINARY, PLUGINS)
    await process.start()
    yield process
    await process.kill()


@pytest.fixture
async def standin(folder: Path) -> AsyncIterator[Standin]:
    """A stand-in for one test."""
    process = Standin(folder)
    await process.start()
    yield process
    await process.kill()


@pytest.fixture
def dataplane(standin: Standin) -> VppDataplane:
    """The dataplane that is the stand-in."""
    return VppDataplane(standin.options, SHORT_TIMINGS)
