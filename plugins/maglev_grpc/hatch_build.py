"""Hatchling's hook for maglev-grpc: makes the message classes and their types from the `.proto` files.

They are written beside the `.proto`, where git ignores them, by every build and by an editable install, unless they are
there already and newer. Nothing but grpcio-tools is needed, which the build requires.
"""

# ruff: noqa: INP001  (a script of the build, in no package)

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_MADE = ("_pb2.py", "_pb2.pyi")


def stubs_of(proto: Path) -> list[Path]:
    """What is made from a `.proto`."""
    return [proto.with_name(proto.stem + ending) for ending in _MADE]


def is_current(proto: Path) -> bool:
    """Whether all that is made from a `.proto` is there and not older than it."""
    return all(stub.exists() and stub.stat().st_mtime >= proto.stat().st_mtime for stub in stubs_of(proto))


def generate(base: Path, proto: Path, out: Path) -> None:
    """Run the compiler of protocol buffers.

    Args:
        base: The folder that imports between `.proto` files start from.
        proto: The file, somewhere below.
        out: Where to write; the folders between `base` and `proto` are made there.

    Raises:
        RuntimeError: The compiler refused the file; what it says is on stderr.
    """
    from grpc_tools import protoc  # noqa: PLC0415  (a source distribution with current stubs needs no compiler)

    googles_own = files("grpc_tools") / "_proto"
    arguments = ["protoc", f"-I{base}", f"-I{googles_own}", f"--python_out={out}", f"--pyi_out={out}", str(proto)]
    if protoc.main(arguments):
        raise RuntimeError(f"{proto} does not compile")


class StubsHook(BuildHookInterface[Any]):
    """Makes the stubs before files are collected, and has them collected although git ignores them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make what is missing or old."""
        base = Path(self.root) / "src/maglev_grpc/proto"
        for proto in sorted(base.rglob("*.proto")):
            if not is_current(proto):
                generate(base, proto, base)
        build_data["artifacts"] += [f"/src/**/*{ending}" for ending in _MADE]
