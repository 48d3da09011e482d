"""A terminal with a shell in it: commands go in, and what appears is compared with what a page shows."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE_S = 60.0
"""How long a command may take."""
LINGERS_S = 1.0
"""How long a command that has printed what it should is given to end, before it counts as one that runs on."""

_PROMPT = re.compile(r"<ready (\d+)>")
_ESCAPES = re.compile(r"\x1b\[[0-9;?<>=]*[@-~]|\x1b[()].|\x1b[=>78]|\r")


class PageError(Exception):
    """What a page says does not happen."""


class Terminal:
    """A shell on a pseudo-terminal.

    Args:
        folder: Where it starts.
        environment: Its environment.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        # The prompt is put together here, so that the echo of a command never looks like it.
        prompt = {"PS1": "<ready $?>", "PS2": "", "PROMPT_COMMAND": ""}
        # Who started us in the background has Ctrl-C ignored, which no shell of ours could change for its commands.
        self._shell = subprocess.Popen(
            ["env", "--default-signal=INT", "bash", "--norc", "--noprofile", "--noediting", "-i"],
            cwd=folder,
            env={**environment, **prompt, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._seen = ""
        self._is_ready = False
        self.wait_ready(PATIENCE_S)

    def wait_ready(self, within_s: float) -> str | None:
        """Wait for the prompt; returns the last status, or `None` if it does not come in time."""
        give_up_s = time.monotonic() + within_s
        while (found := _PROMPT.search(self._seen)) is None:
            if not self._read(give_up_s):
                return None
        self._is_ready = True
        return found[1]

    def _read(self, give_up_s: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, give_up_s - time.monotonic()))
        if ready:
            self._seen += os.read(self._master, 65536).decode("utf-8", "replace")
        return bool(ready)

    def _interrupt(self) -> None:
        """Press Ctrl-C if a command is still running."""
        if not self._is_ready and self.wait_ready(LINGERS_S) is None:
            os.write(self._master, b"\x03")
            if self.wait_ready(PATIENCE_S) is None:
                raise PageError(f"Ctrl-C does not end it:\n{self._seen[-4000:]}")

    def run(self, command: str, wanted: Sequence[str]) -> str:
        """Type a command, after Ctrl-C if the one before it is still running.

        A command that prints what is wanted may run on, and fail; any other must end with status 0.

        Returns:
            What it has printed.

        Raises:
            PageError: It prints something else, fails, or does not end.
        """
        self._interrupt()
        self._seen, self._is_ready = "", False
        os.write(self._master, f"{command}\n".encode())
        give_up_s = time.monotonic() + PATIENCE_S
        while not (wanted and shows(self.text, wanted)):
            if (ended := _PROMPT.search(self._seen)) is not None:
                self._is_ready = True
                if wanted or ended[1] != "0":
                    raise PageError(f"$ {command}\n{self.text}\nstatus {ended[1]}; wanted: {list(wanted)}")
                return self.text
            if not self._read(give_up_s):
                raise PageError(f"$ {command}\n{self.text}\nruns on; wanted: {list(wanted)}")
        self.wait_ready(LINGERS_S)
        return self.text

    @property
    def text(self) -> str:
        """What the command has printed, without escape sequences; the echo of the command is its first line."""
        return _ESCAPES.sub("", self._seen).partition("\n")[2]

    def close(self) -> None:
        """End the shell, and what runs in it."""
        self._shell.kill()
        self._shell.wait()
        os.close(self._master)


def shows(text: str, wanted: Sequence[str]) -> bool:
    """Whether all wanted lines stand in a text, in this order; blanks may differ, and `…` is anything."""
    lines = iter(text.splitlines())
    return all(any(_fits(line, each) for line in lines) for each in wanted)


def _fits(line: str, wanted: str) -> bool:
    parts = (r"\s+".join(map(re.escape, part.split())) for part in wanted.split("…"))
    return re.fullmatch(rf"\s*{'.*'.join(parts)}\s*", line) is not None
