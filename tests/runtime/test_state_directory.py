"""The state directory: for one daemon at a time, cleaned of leftovers, and refused in words where it cannot be read."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from maglev.domain.overrides import AdminOverride, OperatorOverrides
from maglev.runtime import StateError
from maglev.runtime.overrides import FILE, LOCK, OverrideStore, user_of
from tests.runtime.conftest import Env, config

PAUSED = OperatorOverrides({"a": AdminOverride("paused", file_enabled=True)})


def test_a_directory_in_use_is_refused_and_the_message_says_by_whom(tmp_path: Path) -> None:
    first, second = OverrideStore(tmp_path, "/etc/one.yaml"), OverrideStore(tmp_path, "/etc/two.yaml")
    first.lock()
    with pytest.raises(StateError, match=rf"used by another maglevd \(pid {os.getpid()}, /etc/one.yaml\)"):
        second.lock()
    assert user_of(tmp_path) == f"pid {os.getpid()}, /etc/one.yaml"
    first.close()
    assert user_of(tmp_path) is None
    second.lock()
    second.close()


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, signal\n"
        "from maglev.runtime.overrides import OverrideStore\n"
        "store = OverrideStore(pathlib.Path(sys.argv[1]))\n"
        "store.lock()\n"
        "print('held', flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StateError, match=f"pid {other.pid}"):
            OverrideStore(tmp_path).lock()
        other.send_signal(signal.SIGKILL)
        other.wait()
    store = OverrideStore(tmp_path)
    store.lock()
    store.close()


async def test_two_controllers_do_not_share_a_directory(env: Env) -> None:
    async with env.open(config()):
        with pytest.raises(StateError, match="used by another"):
            async with env.open(config()):
                pass
    async with env.open(config()):
        pass


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".overrides.json.abcd_123.tmp").write_text("half")
    (tmp_path / "overrides.jsonabcd_123").write_text("half")
    (tmp_path / "overrides.json.20260101T000000").write_text("put aside")
    (tmp_path / "notes.txt").write_text("somebody's")
    store = OverrideStore(tmp_path)
    store.save(PAUSED)
    store.lock()
    store.close()
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {FILE, LOCK, "overrides.json.20260101T000000", "notes.txt"}
    assert store.load() == PAUSED


@pytest.mark.parametrize(
    "content,why",
    [
        (b"", "is empty"),
        (b"\0" * 512, "is empty"),
        (b'{"format": 1, "backends": {"a', "is not JSON, or incomplete"),
        (b'{"format": 2, "backends": {}, "weights": [], "more": 1}', "is of format 2, and this version reads 1"),
        (b"\xff\xfe", "but no text"),
        (b"[]", "not a state file of this program"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_with_the_way_out(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    store = OverrideStore(tmp_path)
    with pytest.raises(StateError) as caught:
        store.load()
    assert why in str(caught.value)
    assert "maglevd state reset" in str(caught.value)
    assert (tmp_path / FILE).read_bytes() == content
    aside = store.put_aside()
    assert aside is not None
    assert aside.read_bytes() == content
    assert store.load() == OperatorOverrides()
    assert store.put_aside() is None


def test_files_put_aside_in_one_second_do_not_overwrite_each_other(tmp_path: Path) -> None:
    store = OverrideStore(tmp_path)
    found = set()
    for number in range(3):
        (tmp_path / FILE).write_text(str(number))
        found.add(store.put_aside())
    assert len(found) == 3


def test_a_directory_that_cannot_be_made_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = OverrideStore(tmp_path / "file" / "state")
    store.lock()
    with pytest.raises(StateError, match="cannot be written"):
        store.save(PAUSED)


def test_a_file_system_without_locks_is_said_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    store = OverrideStore(tmp_path)
    store.lock()
    store.close()
    assert "state-not-locked" in caplog.messages
    assert user_of(tmp_path) is None
