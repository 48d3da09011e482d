"""Streams of the audit record's own: a file that may be moved away, and the journal."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from maglev.logs import audit
from maglev.logs.audit import AuditError, AuditFile, Journal, audit_sink

LINE = json.dumps({"event": "audit", "who": "CN=alice", "messages": ["a\nb"], "changed": True}).encode() + b"\n"


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "audit.json"
    file.write_bytes(b"before\n")
    AuditFile(file)([LINE, LINE])
    assert file.read_bytes() == b"before\n" + LINE + LINE


def test_a_file_that_was_moved_or_removed_is_made_anew(tmp_path: Path) -> None:
    file, moved = tmp_path / "audit.json", tmp_path / "audit.json.1"
    sink = AuditFile(file)
    sink([b"1\n"])
    file.rename(moved)
    sink([b"2\n"])
    assert (moved.read_bytes(), file.read_bytes()) == (b"1\n", b"2\n")
    file.unlink()
    sink([b"3\n"])
    assert file.read_bytes() == b"3\n"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "journal"))
        sock.settimeout(30)
        yield sock


def fields(entry: bytes) -> dict[str, str]:
    """Read an entry of the journal's native protocol, all of whose fields have a length."""
    found = {}
    while entry:
        name, _, entry = entry.partition(b"\n")
        (length,) = struct.unpack_from("<Q", entry)
        found[name.decode()], entry = entry[8 : 8 + length].decode(), entry[8 + length + 1 :]
    return found


def test_the_journal_gets_an_entry_with_a_field_for_each_thing_known(journal: socket.socket) -> None:
    Journal(Path(journal.getsockname()))([LINE])
    assert fields(journal.recv(65536)) == {
        "MESSAGE": LINE.decode().rstrip(),
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "maglev-audit",
        "MAGLEV_EVENT": "audit",
        "MAGLEV_WHO": "CN=alice",
        "MAGLEV_MESSAGES": '["a\\nb"]',
        "MAGLEV_CHANGED": "true",
    }


def test_a_journal_that_was_started_anew_gets_what_comes(journal: socket.socket, tmp_path: Path) -> None:
    sink = Journal(Path(journal.getsockname()))
    journal.close()
    (tmp_path / "journal").unlink()
    with pytest.raises(OSError, match=r"No such file|refused"):
        sink([LINE])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as new:
        new.bind(str(tmp_path / "journal"))
        new.settimeout(30)
        sink([LINE])
        assert fields(new.recv(65536))["MAGLEV_WHO"] == "CN=alice"


def test_without_a_journal_asking_for_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(audit, "JOURNAL", tmp_path / "none")
    with pytest.raises(AuditError, match="No such file"):
        audit_sink("journal")
