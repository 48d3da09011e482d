"""Keeps operators' overrides on disk, so that they outlive restarts, for one daemon at a time.

What the state directory holds, all of it made by `OverrideStore`:

- `overrides.json`: the overrides, with the number of their format. Read at start; a file that cannot be understood is
  left as it is, and the daemon does not start on it, since what was ordered would be forgotten in silence.
- `maglevd.lock`: held by the daemon that uses the directory, and says which that is.
- `.overrides.json.….tmp`: a file that was being written when the process was killed. The next start removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs

from maglev.domain.overrides import AdminOverride, OperatorOverrides, WeightOverride
from maglev.runtime.logging import get_logger

FILE = "overrides.json"
LOCK = "maglevd.lock"
_FORMAT = 1
_ADMIN_STATES = ("paused", "disabled", "enabled")
_PATIENCE_S = 0.5
"""How long to wait for the lock: who only looks whether it is held holds it for a moment."""
_LEFTOVER = re.compile(r"\.overrides\.json\.\w+\.tmp|overrides\.json[a-z0-9_]{8}")
log = get_logger("maglev.state")
_WAY_OUT = "maglevd state show has details; maglevd state reset renames it"


class StateError(Exception):
    """The state directory cannot be used; names the file and why."""


class OverrideStore:
    """Keeps overrides in `overrides.json` in the state directory.

    Args:
        directory: The state directory, made if need be; `None` keeps nothing.
        owner: Who uses it, for messages to others: the configuration's path, say.
    """

    def __init__(self, directory: Path | None, owner: str = "") -> None:
        self.path = directory / FILE if directory is not None else None
        self.saved: OperatorOverrides | None = None
        """What the file holds, as far as this process has read or written it."""
        self._owner = owner
        self._lock: int | None = None

    def lock(self) -> None:
        """Take the state directory for this process until `close`, and remove what killed ones left in it.

        A directory that cannot be made or written is nobody's: whatever is to be saved there will say so.

        Raises:
            StateError: Another process uses it.
        """
        if self.path is None or self._lock is not None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path.parent / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            return
        try:
            _take(lock, self.path.parent)
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock
        text = f"pid {os.getpid()}" + (f", {self._owner}" if self._owner else "")
        with contextlib.suppress(OSError):  # a full disk: the lock holds, and only its message is missing
            os.truncate(lock, 0)
            os.pwrite(lock, text.encode("utf-8", "replace") + b"\n", 0)
        self._clean()

    def _clean(self) -> None:
        folder = self.path.parent if self.path is not None else Path()
        for found in folder.iterdir():
            if _LEFTOVER.fullmatch(found.name):
                found.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others use the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def load(self) -> OperatorOverrides:
        """Read what an earlier run kept; nothing there is no error.

        Raises:
            StateError: The file is there and cannot be read or understood. It is left as it is.
        """
        self.saved = self._read()
        return self.saved

    def _read(self) -> OperatorOverrides:
        if self.path is None:
            return OperatorOverrides()
        try:
            return _understood(self.path, self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return OperatorOverrides()
        except UnicodeDecodeError as error:
            raise StateError(f"{self.path}: not a state file of this program, but no text; {_WAY_OUT}") from error
        except OSError as error:
            raise StateError(f"{self.path}: cannot be read: {error.strerror or error}") from error

    def save(self, overrides: OperatorOverrides) -> None:
        """Write atomically, if the file does not hold them: a crash leaves the old file or the new one, whole.

        Raises:
            StateError: It could not be written.
        """
        if overrides == self.saved:
            return
        if self.path is not None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                _write_atomically(self.path, json.dumps(_dump(overrides), indent=1, sort_keys=True) + "\n")
            except OSError as error:
                raise StateError(f"{self.path}: cannot be written: {error.strerror or error}") from error
        self.saved = overrides

    def put_aside(self) -> Path | None:
        """Rename the file, whatever is in it, so that the next start begins without overrides; needs the lock.

        Returns:
            Where it is now; `None` if there was none.

        Raises:
            StateError: It could not be renamed.
        """
        if self.path is None or not self.path.exists():
            return None
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        names = (self.path.with_name(f"{FILE}.{stamp}{suffix}") for suffix in ("", *(f"-{n}" for n in range(1, 1000))))
        aside = next(name for name in names if not name.exists())
        try:
            self.path.rename(aside)
            _sync_folder(aside.parent)
        except OSError as error:
            raise StateError(f"{self.path}: cannot be renamed: {error.strerror or error}") from error
        return aside


def user_of(directory: Path) -> str | None:
    """Return who uses a state directory, in words; `None` if nobody does or it cannot be told."""
    try:
        lock = os.open(directory / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _said(lock)
    except OSError:  # a file system without locks
        return None
    finally:
        os.close(lock)
    return None


def _take(lock: int, directory: Path) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < until_s:
                time.sleep(_PATIENCE_S / 10)
                continue
            message = f"{directory}: is used by another maglevd ({_said(lock)}): give each its own --state-dir"
            raise StateError(message) from None
        except OSError as error:  # a file system without locks
            log.warning("state-not-locked", directory=str(directory), error=error.strerror or str(error))
        return


def _said(lock: int) -> str:
    said = os.pread(lock, 4096, 0).decode("utf-8", "replace").strip()
    return "".join(character if character.isprintable() else "?" for character in said) or "unnamed"


def _write_atomically(path: Path, text: str) -> None:
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    # Without it a power failure may bring the old name back.
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _understood(path: Path, text: str) -> OperatorOverrides:
    if not text.strip("\0 \n"):
        raise StateError(f"{path}: is empty, as after a power failure: the changes by commands are lost; {_WAY_OUT}")
    try:
        data = json.loads(text)
    except ValueError as error:
        raise StateError(f"{path}: is not JSON, or incomplete ({error}); {_WAY_OUT}") from error
    try:
        found = data["format"]
        if type(found) is int and found > _FORMAT:
            message = f"is of format {found}, and this version reads {_FORMAT}: start the newer one"
            raise StateError(f"{path}: {message}; {_WAY_OUT}")
        return _parse(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{path}: not a state file of this program: {error!r}; {_WAY_OUT}") from error


def _dump(overrides: OperatorOverrides) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "backends": {name: attrs.asdict(kept) for name, kept in overrides.admin.items()},
        "weights": [
            {"frontend": f, "pool": p, "backend": b, **attrs.asdict(kept)}
            for (f, p, b), kept in overrides.weights.items()
        ],
    }


def _parse(data: Any) -> OperatorOverrides:
    if data["format"] != _FORMAT:
        raise ValueError(f"format {data['format']!r} is not {_FORMAT}")
    return OperatorOverrides(
        {name: _admin(kept) for name, kept in data["backends"].items()},
        {(kept["frontend"], kept["pool"], kept["backend"]): _weights(kept) for kept in data["weights"]},
    )


def _admin(kept: Any) -> AdminOverride:
    if kept["admin"] not in _ADMIN_STATES or not isinstance(kept["file_enabled"], bool):
        raise ValueError(f"admin state {kept!r}")
    return AdminOverride(kept["admin"], kept["file_enabled"])


def _weights(kept: Any) -> WeightOverride:
    weights = (kept["weight"], kept["file_weight"])
    if not all(type(weight) is int and 0 <= weight <= 100 for weight in weights):
        raise ValueError(f"weights {kept!r}")
    return WeightOverride(*weights)
