"""A program in a terminal of its own: keys go in, and what appears on the screen is read."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

from plugins.maglev_cli.tests.site import PATIENCE_S

_PIECE = re.compile(
    r"\x1b\[(?P<private>[?<>=]?)(?P<numbers>[0-9;]*)(?P<final>[@-~])"
    r"|\x1b[()].|\x1b[^\[]|(?P<control>[\x00-\x1f\x7f])|(?P<text>[^\x00-\x1f\x7f\x1b]+)"
)
_HALF = re.compile(r"\x1b(\[[0-9;?<>=]*)?$")

TAB, CTRL_C, CTRL_D, UP, ENTER = "\t", "\x03", "\x04", "\x1b[A", "\r"


def _control() -> None:
    """Make the terminal that of the session, so that Ctrl-C comes as a signal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Screen:
    """What a terminal shows: enough of one for a line editor, and without an upper end."""

    def __init__(self) -> None:
        self._lines = [""]
        self._row = 0
        self._column = 0

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self._lines)

    def feed(self, text: str) -> None:
        """Take what a program writes."""
        for match in _PIECE.finditer(text):
            if match["text"]:
                self._write(match["text"])
            elif match["control"]:
                self._control(match["control"])
            elif match["final"] and not match["private"]:
                self._command(match["final"], int(match["numbers"].partition(";")[0] or "0"))

    def _write(self, text: str) -> None:
        line = self._lines[self._row].ljust(self._column)
        self._lines[self._row] = line[: self._column] + text + line[self._column + len(text) :]
        self._column += len(text)

    def _control(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._down(1)
        elif character == "\b":
            self._column = max(0, self._column - 1)

    def _command(self, final: str, number: int) -> None:
        if final == "A":
            self._row = max(0, self._row - max(1, number))
        elif final == "B":
            self._down(max(1, number))
        elif final == "C":
            self._column += max(1, number)
            self._lines[self._row] = self._lines[self._row].ljust(self._column)
        elif final == "D":
            self._column = max(0, self._column - max(1, number))
        elif final in "JK":
            self._lines[self._row] = self._lines[self._row][: self._column]
            if final == "J":
                del self._lines[self._row + 1 :]

    def _down(self, lines: int) -> None:
        self._row += lines
        self._lines += [""] * (self._row + 1 - len(self._lines))


class Terminal:
    """Runs a program on a pseudo-terminal of 200 columns.

    Args:
        command: The program.
        environment: Its environment.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_control,  # noqa: PLW1509  (one system call, and there is no other way)
            env={**environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        )
        os.close(slave)
        self.raw = ""
        self.screen = Screen()
        self._half = ""
        self._mark = 0

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def expect(self, *texts: str) -> str:
        """Read on until these texts stand on the screen, in this order and behind those expected before.

        Returns:
            The screen from the end of what was expected before to the end of this.
        """
        give_up_s = time.monotonic() + PATIENCE_S
        while (end := self._found(texts)) is None:
            ready, _, _ = select.select([self._master], [], [], max(0.0, give_up_s - time.monotonic()))
            assert ready, f"never appeared: {texts} in\n{self.screen.text[self._mark :]}"
            self._read()
        begin, self._mark = self._mark, end
        return self.screen.text[begin:end]

    def _found(self, texts: Sequence[str]) -> int | None:
        screen, end = self.screen.text, self._mark
        for text in texts:
            begin = screen.find(text, end)
            if begin < 0:
                return None
            end = begin + len(text)
        return end

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: the program has closed the terminal
            data = b""
        assert data, f"the program has ended: {self.raw[-2000:]!r}"
        text = data.decode("utf-8", "replace")
        self.raw += text
        text = self._half + text
        half = _HALF.search(text)
        self._half = half[0] if half else ""
        self.screen.feed(text[: len(text) - len(self._half)])

    def ended(self) -> int:
        """Wait for its end; returns the exit status."""
        while True:
            ready, _, _ = select.select([self._master], [], [], PATIENCE_S)
            assert ready, "does not end"
            try:
                if not os.read(self._master, 65536):
                    break
            except OSError:
                break
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        os.close(self._master)
