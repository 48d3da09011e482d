"""Prepares the place of a measurement: a folder, and servers here or, where possible, in a network namespace."""

from __future__ import annotations

import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import trustme

from benchmarks.probes.cases import Case
from benchmarks.probes.haproxy import SERVER_NAME, Servers


@attrs.frozen
class Stage:
    """What all measurements share.

    Args:
        folder: Where files are.
        here: The servers in this network namespace.
        netns: The other namespace's name; `None` if none could be made.
        there: The servers there.
    """

    folder: Path
    here: Servers
    netns: str | None
    there: Servers | None

    def servers(self, case: Case) -> Servers:
        """Whom a case probes."""
        return self.there if case.netns and self.there is not None else self.here

    def can(self, case: Case) -> bool:
        """Whether a case can be measured here."""
        return not case.netns or self.there is not None


@contextmanager
def stage() -> Iterator[Stage]:
    """Set it up, and leave nothing behind."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="maglev-bench-")))
        _issue(folder)
        here = Servers(folder, "here")
        stack.callback(here.stop)
        netns = _make_netns()
        there = None
        if netns is not None:
            stack.callback(_ip, "netns", "del", netns)
            _ip("-n", netns, "link", "set", "lo", "up")
            there = Servers(folder, "there", ("ip", "netns", "exec", netns))
            stack.callback(there.stop)
        yield Stage(folder, here, netns, there)


def answer_echo(netns: str, *, answer: bool) -> None:
    """Have a namespace answer echo requests, or not."""
    words = f"echo {int(not answer)} > /proc/sys/net/ipv4/icmp_echo_ignore_all"
    _ip("netns", "exec", netns, "sh", "-c", words)


def _issue(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert(SERVER_NAME).private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))


def _make_netns() -> str | None:
    name = f"maglev-bench-{secrets.token_hex(3)}"
    try:
        _ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        return None
    return name


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)
