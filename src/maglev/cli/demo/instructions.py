"""Says what can be done once the steps are over."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maglev.cli.demo import servers
from maglev.cli.demo.scenario import SERVERS
from maglev.config import Config

_COMMANDS = (
    "show frontend web",
    "set backend ams-2 pause    # or resume, disable, enable, reset",
    "set frontend web pool primary backend ams-3 weight 100 dry-run    # or without dry-run",
)


def instructions(config: Config, file: Path, port: int) -> list[str]:
    """Return the lines to print."""
    grpc = config.exporters.get("grpc")
    server = f"unix:{socket}" if (socket := getattr(grpc, "socket", "")) else getattr(grpc, "addr", "")
    return [
        "It stays up until you press Ctrl-C. From another terminal:",
        "",
        f"  curl {SERVERS['ams-1']}:{port}/stop    # or /hang, for {servers.BACK_AFTER_S:g} s",
        *(f"  {line}" for line in _commands(server)),
        "",
        f"Servers, on port {port}:",
        f"  {', '.join(f'{name} {address}' for name, address in SERVERS.items())}",
        f"Configuration: {file}",
        f"  change it, then: kill -HUP {os.getpid()}",
        f"Exporters: {_exporters(config.exporters)}",
    ]


def _commands(server: str) -> list[str]:
    """Return how to give commands to a server with `maglevc`."""
    path = Path(sys.executable).with_name("maglevc")
    if not path.exists():
        path = Path(shutil.which("maglevc") or path)  # that of a package of its own
    if not server or not path.exists():
        return ["To give commands, install maglevd[grpc,cli], or Debian's package vpp-maglev."]
    maglevc = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return [f"export MAGLEV_SERVER={server}", *(f"{maglevc} {words}" for words in _COMMANDS)]


def _exporters(exporters: Mapping[str, Any]) -> str:
    """Name the exporters that serve, with the address where they have one."""
    named = [f"{name} on {addr}" if (addr := getattr(one, "addr", "")) else name for name, one in exporters.items()]
    return ", ".join(named) or "none is installed"
