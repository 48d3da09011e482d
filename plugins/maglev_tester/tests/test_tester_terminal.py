"""maglevt on a terminal: whenever it is left, and however, the terminal is as it was."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path

import pytest

from plugins.maglev_tester.tests.conftest import ServerMaker, answering, configuration

OK = b"HTTP/1.1 200 OK\r\nX-IPng-Frontend: nginx0\r\nContent-Length: 0\r\n\r\n"
ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_ON, CURSOR_OFF = b"\x1b[?25h", b"\x1b[?25l"
CTRL_C = b"\x03"


class Terminal:
    """A pseudo-terminal with maglevt in it.

    Args:
        command: What runs there.
        size: Lines and columns.
    """

    def __init__(self, command: list[str], size: tuple[int, int] = (24, 80)) -> None:
        self.output = b""
        self._keyboard, self._line = pty.openpty()
        ioctl(self._line, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self._before = termios.tcgetattr(self._line)
        takes_terminal = (
            "import fcntl, os, signal, sys, termios\n"
            "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"  # ignored where the tests were started in the background
            "os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.write(1, b'.'); os.execv(sys.argv[1], sys.argv[1:])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", takes_terminal, *command], stdin=self._line, stdout=self._line, stderr=self._line
        )

    def press(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def read_until(self, enough: Callable[[bytes], bool]) -> None:
        """Read until the output is as wanted, or the process has ended."""
        while not enough(self.output) and (self.process.poll() is None or self._readable()):
            if self._readable():
                self.output += os.read(self._keyboard, 65_536)

    def _readable(self) -> bool:
        return bool(select.select([self._keyboard], [], [], 0.05)[0])

    @property
    def is_as_it_was(self) -> bool:
        on, off = self.output.count(ALTERNATE_ON), self.output.count(ALTERNATE_OFF)
        cursor = self.output.rfind(CURSOR_ON) >= self.output.rfind(CURSOR_OFF)
        return on == off and cursor and termios.tcgetattr(self._line) == self._before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._keyboard)
        os.close(self._line)


@pytest.fixture
def command(tmp_path: Path, serve: ServerMaker) -> list[str]:
    path = configuration(tmp_path, serve(answering(OK)).port)
    return [sys.executable, "-m", "maglev_tester.start", "--config", path]


@pytest.fixture
def terminal(command: list[str]) -> Iterator[Terminal]:
    terminal = Terminal(command)
    yield terminal
    terminal.close()


def ended(terminal: Terminal) -> str:
    terminal.read_until(lambda _: False)
    terminal.process.wait()
    return terminal.output.decode(errors="replace")


@pytest.mark.parametrize("seen", [1, 20, 300, 2000, 6000], ids=lambda seen: f"after {seen} bytes of output")
@pytest.mark.parametrize("times", [1, 3])
def test_ctrl_c_at_any_moment_leaves_the_terminal_as_it_was(terminal: Terminal, seen: int, times: int) -> None:
    terminal.read_until(lambda output: len(output) >= seen)
    terminal.press(CTRL_C * times)
    ended(terminal)
    assert terminal.is_as_it_was
    # 1 is Python's own, where it is interrupted before it has begun to run ours.
    assert terminal.process.returncode in (0, 1, 130, -signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_in_good_order_with_a_summary(terminal: Terminal, number: signal.Signals) -> None:
    terminal.read_until(lambda output: b"nginx0" in output)
    terminal.process.send_signal(number)
    assert "maglevt on " in ended(terminal).rpartition(ALTERNATE_OFF.decode())[2]
    assert terminal.is_as_it_was
    assert terminal.process.returncode == 0


def test_q_leaves_with_a_summary_on_the_ordinary_screen(terminal: Terminal) -> None:
    terminal.read_until(lambda output: b"nginx0" in output)
    terminal.press(b"q")
    assert "vip0: nginx0 " in ended(terminal).rpartition(ALTERNATE_OFF.decode())[2]
    assert terminal.is_as_it_was
    assert terminal.process.returncode == 0


def test_death_of_the_probing_process_is_told_and_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    terminal.read_until(lambda output: b"nginx0" in output)
    (child,) = Path(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    assert "the probing process ended" in ended(terminal)
    assert terminal.is_as_it_was
    assert terminal.process.returncode == 1


def test_duration_ends_the_screen(command: list[str]) -> None:
    terminal = Terminal([*command, "--duration", "500ms", "--min-ok", "100"])
    assert "maglevt on " in ended(terminal)
    assert terminal.is_as_it_was
    assert terminal.process.returncode == 0
    terminal.close()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux, which reads a screen as people do, is not installed")
@pytest.mark.parametrize("width, height", [(80, 24), (200, 50)])
def test_screen_as_tmux_sees_it(tmp_path: Path, command: list[str], width: int, height: int) -> None:
    def tmux(*arguments: str) -> str:
        environ = {**os.environ, "LC_ALL": "C.UTF-8"}
        full = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null", *arguments]
        return subprocess.run(full, capture_output=True, text=True, check=True, env=environ).stdout

    tmux("new-session", "-d", "-x", str(width), "-y", str(height), f"{shlex.join(command)}; cat")
    try:
        lines = [""] * height
        while "nginx0" not in "\n".join(lines) or "q Quit" not in lines[height - 1]:  # the bar of keys comes last
            lines = tmux("capture-pane", "-p").split("\n")
            time.sleep(0.1)
        screen = "\n".join(lines)
        assert lines[0].startswith(" maglevt on ")
        assert lines[1].startswith("VIP▲")
        assert lines[2].startswith("vip0 ")
        assert "q Quit" in lines[height - 1]
        tmux("send-keys", "q")
        while "Who answered:" not in screen:
            screen = tmux("capture-pane", "-p")
            time.sleep(0.1)
        assert "q Quit" not in screen
    finally:
        tmux("kill-server")
