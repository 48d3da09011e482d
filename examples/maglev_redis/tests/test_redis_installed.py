"""The example as its users meet it: wheels of the core and of the plugin, in a virtual environment of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLE = HERE.parent
ROOT = EXAMPLE.parents[1]

pytestmark = pytest.mark.timeout(600)  # pip may have to fetch what the core needs


def run(*command: str | Path, place: Path) -> str:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing but the two wheels and what they depend on."""
    place = tmp_path_factory.mktemp("redis")
    wheels = place / "wheels"
    for project in (ROOT, EXAMPLE):
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels, place=project)
    run(sys.executable, "-m", "venv", place / "venv", place=place)
    constraints = ROOT / "constraints.txt"
    pip = (place / "venv/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "-q", "-c", constraints)
    run(*pip, *sorted(wheels.glob("*.whl")), place=place)
    return place


def test_the_plugin_is_found(environment: Path) -> None:
    listed = run(environment / "venv/bin/maglevd", "plugins", place=environment)
    assert [line.split()[:4] for line in listed.splitlines() if "redis" in line] == [
        ["redis", "1.0", "checker", "redis"]
    ]


def test_its_options_are_part_of_the_schema(environment: Path) -> None:
    assert "Authenticate with this password first" in run(environment / "venv/bin/maglevd", "schema", place=environment)


def test_it_probes_a_server(environment: Path) -> None:
    printed = run(environment / "venv/bin/python", HERE / "redis_run.py", environment, place=environment)
    assert printed.splitlines() == ["up: L7OK: PONG", "down: L4CON: Connection refused"]
