"""Opens streams for the audit record: a file, or the journal with a field for each key."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from maglev.logs.writer import Sink, write_all

AUDIT = "maglev.audit"
"""The logger of the audit record: who gave which command, by what right, and what became of it."""
JOURNAL = Path("/run/systemd/journal/socket")
_LARGEST = 8 * 1024 * 1024
"""How large an entry of the journal may be, in bytes; the kernel may allow less."""
_OPENING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


def outcome(*, changed: bool, errors: Collection[str]) -> str:
    """Say in a word what became of a command that was not refused.

    Args:
        changed: Whether it changed anything.
        errors: What the dataplane refused of it.
    """
    if errors:
        return "incomplete"
    return "changed" if changed else "unchanged"


class AuditError(OSError):
    """The audit record cannot be written where it was asked for; the message says why."""


def audit_sink(where: str) -> Sink:
    """Open the audit record's own stream.

    Args:
        where: A file, or `journal`.

    Raises:
        AuditError: It cannot be opened.
    """
    try:
        return Journal() if where == "journal" else AuditFile(Path(where))
    except OSError as error:
        raise AuditError(f"--audit-log {where}: {error.strerror or error}") from error


class AuditFile:
    """Appends lines to a file; when that was moved or removed, to a new one of its name. Only its user may write to it.

    Args:
        path: The file; made if it is not there.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, _OPENING, 0o640)

    def __call__(self, lines: Sequence[bytes]) -> None:
        """Append lines; raises `OSError`."""
        if not self._is_there():
            # The new one first: if it cannot be opened, the old one stays, and is not somebody else's descriptor.
            descriptor = os.open(self._path, _OPENING, 0o640)
            os.close(self._descriptor)
            self._descriptor = descriptor
        write_all(self._descriptor, b"".join(lines))

    def _is_there(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except OSError:
            return False


class Journal:
    """Sends lines of JSON to systemd's journal, each as an entry with a field `MAGLEV_…` for each of theirs.

    Args:
        address: The journal's socket; by default systemd's.

    Raises:
        OSError: There is none.
    """

    def __init__(self, address: Path | None = None) -> None:
        self._address = str(address or JOURNAL)
        self([])

    def __call__(self, lines: Sequence[bytes]) -> None:
        """Send lines; raises `OSError`."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
            sock.connect(self._address)
            for line in lines:
                sock.send(b"".join(_entry(line)))


def _entry(line: bytes) -> Iterator[bytes]:
    """Write an entry in the journal's native protocol: each field with its length, so that a value may be anything."""
    text = line.decode().rstrip("\n")
    yield from (_field("MESSAGE", text), _field("PRIORITY", "6"), _field("SYSLOG_IDENTIFIER", "maglev-audit"))
    for name, value in json.loads(text).items():
        yield _field(f"MAGLEV_{name.upper()}", value if isinstance(value, str) else json.dumps(value))


def _field(name: str, value: str) -> bytes:
    data = value.encode(errors="backslashreplace")
    return name.encode("ascii", "replace") + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
