"""Plays a page: as root of namespaces of its own, in a folder that looks like a fresh checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tools.pages.blocks import ROOT, Step, blocks, name_of, steps
from tools.pages.terminal import PATIENCE_S, PageError, Terminal

_PRIVATE = ("/var/lib", "/run")
"""What a page may write to outside its folder."""
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")


def play(page: Path) -> None:
    """Play all blocks of a page.

    Raises:
        PageError: Something does not happen as the page says.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(_checkout())
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {"HOME": str(folder)}
        terminals: dict[str, Terminal] = {}
        for block in blocks(page):
            if file := block.notes.get("file"):
                (folder / file).write_text(block.text, "utf-8")
            if block.language != "console" or "needs" in block.notes:
                continue
            name = block.notes.get("terminal", "1")
            if name not in terminals:
                terminals[name] = Terminal(folder, environment)
                stack.callback(terminals[name].close)
            for step in steps(block):
                _play(terminals[name], step, f"{name_of(page)}:{block.line}")


def _play(terminal: Terminal, step: Step, where: str) -> None:
    sys.stdout.write(f"{where}: {step.command}\n")
    sys.stdout.flush()
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            terminal.run(step.command, step.wanted)
        except PageError as error:
            # What is only shown may be looked at again, as a reader does who was too fast.
            if "maglevc show" not in step.command or time.monotonic() > give_up_s:
                raise PageError(f"{where}: {error}") from None
            time.sleep(0.2)
        else:
            return


@contextmanager
def _checkout() -> Iterator[Path]:
    """A folder with all that the checkout has; what a page writes there stays there."""
    with tempfile.TemporaryDirectory(prefix="maglevd-page-") as name:
        folder = Path(name)
        for entry in ROOT.iterdir():
            if entry.name != ".venv":
                (folder / entry.name).symlink_to(entry)
        (folder / ".venv").symlink_to(Path(sys.prefix))
        yield folder


def enter(page: Path) -> int:
    """Play a page in namespaces of its own: processes end with it, ports and `/run` are nobody else's."""
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    spaces = ["unshare", *mapped, "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    inner = [sys.executable, "-m", "tools.pages", "--inside", str(page)]
    return subprocess.run([*spaces, *inner], cwd=ROOT, check=False).returncode


def settle() -> None:
    """Prepare the namespaces: loopback, and folders that may be written to."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for path in _PRIVATE:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
