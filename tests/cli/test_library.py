"""maglevd as a library: names that are there when asked for, and a controller that leaves no trace."""

from __future__ import annotations

import ast
import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import maglev
from maglev.api import BackendState

SOURCE = Path(maglev.__file__)


def config() -> maglev.Config:
    return maglev.Config(
        backends={"a": maglev.BackendConfig(address="192.0.2.1")},
        frontends={
            "web": maglev.FrontendConfig(
                address="203.0.113.1", pools=[maglev.PoolConfig("primary", {"a": maglev.MemberConfig()})]
            )
        },
    )


def traces() -> dict[str, list[object]]:
    """What a library has no business to change."""
    return {
        "signals": [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)],
        "handlers": [*logging.getLogger("maglev").handlers, *logging.getLogger().handlers],
    }


@pytest.mark.parametrize("name", maglev.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(maglev, name) is not None


def test_type_checkers_see_the_same_names_as_programs() -> None:
    tree = ast.parse(SOURCE.read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = [alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(imported) == sorted(maglev.__all__) == dir(maglev)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = maglev.nonsense


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys, maglev; print([name for name in sys.modules if name.startswith(('maglev.', 'anyio', 'attrs'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_configuration_built_in_code_runs_and_leaves_no_trace() -> None:
    before = traces()
    async with maglev.open_controller(config()) as control:
        assert control.snapshot().backends["a"].state is BackendState.UP
        assert traces()["signals"] == before["signals"]
    assert traces() == before


async def test_a_configuration_that_is_wrong_names_everything_and_nothing_runs() -> None:
    wrong = maglev.Config(backends={"a": maglev.BackendConfig(address="192.0.2.1", healthcheck="nothing")})
    with pytest.raises(maglev.ConfigError, match=r"maglev\.backends\.a\.healthcheck"):
        async with maglev.open_controller(wrong):
            pytest.fail("it runs")


async def test_an_exception_of_the_program_comes_through_as_it_is() -> None:
    with pytest.raises(LookupError):
        async with maglev.open_controller(config()):
            raise LookupError
