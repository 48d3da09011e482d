"""The options of the exporter, and what its plugin registers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import maglev
from maglev.config import ConfigError, load_text
from maglev_grpc.server import GrpcExporter, GrpcOptions

CERT, KEY = Path("/etc/x.crt"), Path("/etc/x.key")
GRPC = maglev.installed({"MAGLEV_LOAD_PLUGINS": "grpc"})


@pytest.mark.parametrize("addr", [":9090", "", "127.0.0.1:0", "[::1]:65535", "localhost:9090", "lb-1.example.org:80"])
def test_addresses_to_listen_on(addr: str) -> None:
    assert GrpcOptions(addr=addr).addr == addr


@pytest.mark.parametrize("addr", ["9090", "::1:9090", "localhost", ":65536", ":-1", "a b:1", "unix:/x", "[::1]"])
def test_these_are_no_addresses_to_listen_on(addr: str) -> None:
    with pytest.raises(ValueError, match="is not an address to listen on"):
        GrpcOptions(addr=addr)


@pytest.mark.parametrize(
    "options,complaint",
    [
        ({"socket": "run/x.sock"}, "is not an absolute path"),
        ({"socket": "/" + "x" * 107}, "longer than the 107 bytes"),
        ({"cert": CERT}, "set both cert and key"),
        ({"key": KEY}, "set both cert and key"),
        ({"client_ca": CERT}, "client-ca needs TLS"),
        ({"max_connections": 0}, "1 or more"),
        ({"max_connections_per_host": 0}, "1 or more"),
        ({"max_watchers": 0}, "1 or more"),
        ({"watch_buffer": 0}, "1 or more"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        GrpcOptions(**options)


def test_an_exporter_with_nothing_to_listen_on_is_off() -> None:
    assert GrpcExporter(GrpcOptions()).enabled
    assert GrpcExporter(GrpcOptions(addr="", socket="unix:/run/x")).enabled
    assert not GrpcExporter(GrpcOptions(addr="")).enabled
    assert GrpcOptions(socket="unix:/run/x").socket_path == "/run/x"
    assert GrpcOptions().addr == "127.0.0.1:9090"


def test_the_plugin_is_found_and_its_options_come_from_the_file() -> None:
    assert GRPC.problems == ()
    assert GRPC.exporters["grpc"] is GrpcExporter
    text = "maglev: {exporters: {grpc: {addr: '127.0.0.1:9191', reflection: false, cert: /x.crt, key: /x.key}}}"
    options = load_text(text, GRPC).config.exporters["grpc"]
    assert options == GrpcOptions(addr="127.0.0.1:9191", reflection=False, cert=Path("/x.crt"), key=Path("/x.key"))


def test_a_wrong_option_in_the_file_is_an_error_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"maglev\.yaml:3:\d+: .*is not an address to listen on"):
        load_text("maglev:\n  exporters:\n    grpc: {addr: '9090'}\n", GRPC, file="maglev.yaml")
