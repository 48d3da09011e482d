"""`maglevd check` and `config check` test the exporter's files and addresses before it uses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from maglev.cli import check
from maglev.cli.options import Invocation
from maglev.config.serving import exporter_problem, exporter_problem_elsewhere
from maglev.library import installed
from maglev_grpc.server import GrpcExporter, GrpcOptions


def test_what_it_can_serve_with_is_no_problem(tmp_path: Path) -> None:
    assert exporter_problem(GrpcExporter, GrpcOptions(addr="127.0.0.1:1", socket=str(tmp_path / "socket"))) is None
    assert exporter_problem(GrpcExporter, GrpcOptions(addr="")) is None


@pytest.mark.parametrize(
    "options, why",
    [
        (GrpcOptions(addr="192.0.2.1:9090"), "cannot listen on 192.0.2.1:9090: Cannot assign requested address"),
        (GrpcOptions(addr="", socket="/nowhere/socket"), "/nowhere: there is no such directory"),
        (GrpcOptions(cert=Path("/nowhere/crt"), key=Path("/nowhere/key")), "/nowhere/crt: No such file"),
    ],
    ids=["address", "socket", "certificate"],
)
def test_what_it_cannot_serve_with_is_named(options: GrpcOptions, why: str) -> None:
    assert why in (exporter_problem(GrpcExporter, options) or "")


async def test_it_is_looked_at_in_another_process() -> None:
    options = GrpcOptions(addr="", socket="/nowhere/socket")
    found = await exporter_problem_elsewhere(GrpcExporter, options, 30)
    assert found == "/nowhere: there is no such directory"


def test_check_fails_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "maglev.yaml"
    file.write_text("maglev: {exporters: {grpc: {addr: '', socket: /nowhere/socket}}}")
    plugins = installed({"MAGLEV_LOAD_PLUGINS": "grpc"})
    assert check.run(Invocation(plugins, file)) == 2
    assert "maglev.exporters.grpc: /nowhere: there is no such directory" in capsys.readouterr().err
