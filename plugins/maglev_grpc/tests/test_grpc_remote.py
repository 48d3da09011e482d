"""A caller whose address is not a loopback one, on real sockets: in a network namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plugins.maglev_grpc.tests.serving import running

ROOT = Path(__file__).parents[3]

SCRIPT = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from maglev.api import CommandError, PauseBackend
from maglev_grpc.client import connect
from plugins.maglev_grpc.tests.serving import running

async def ask(address, port):
    async with connect(f"{address}:{port}") as client:
        print(address, len(await client.backends()), (await client.info()).may_change)
        try:
            print((await client.command(PauseBackend("alpha"))).changed)
        except CommandError as error:
            print(type(error).__name__, error)

async def main():
    async with running(addr=":0") as served:
        for address in ("192.0.2.1", "[2001:db8::1]", "127.0.0.1"):
            await ask(address, served.exporter.port)

asyncio.run(main())
"""

SET_UP = "ip link set lo up && ip address add 192.0.2.1/32 dev lo && ip address add 2001:db8::1/128 dev lo nodad"


@pytest.mark.parametrize("addr,warned", [("127.0.0.1:0", False), ("[::1]:0", False), (":0", True), ("0.0.0.0:0", True)])
async def test_an_address_in_clear_text_is_warned_of_where_others_reach_it(
    addr: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(addr=addr, allow_remote_writes=True) as served:
        told = [getattr(record, "maglev_fields", {}) for record in caplog.records if record.message == "plain-text"]
        assert bool(told) is warned
        assert all(
            f":{served.exporter.port} is open to others in plain text, and everybody" in t["problem"] for t in told
        )


def permitted() -> bool:
    """Whether a network namespace can be made here."""
    try:
        command = ["unshare", "--net", "sh", "-c", SET_UP]
        return os.getuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.netns
@pytest.mark.skipif(
    not permitted(), reason="no network namespace can be made here (needs CAP_SYS_ADMIN, unshare and ip)"
)
def test_who_comes_from_another_address_reads_but_changes_nothing() -> None:
    command = ["unshare", "--net", "sh", "-c", f'{SET_UP} && exec "$0" -c "$1" "$2"', sys.executable, SCRIPT, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0::2] == ["192.0.2.1 3 False", "[2001:db8::1] 3 False", "127.0.0.1 3 True"]
    assert lines[1].startswith("PermissionDenied PauseBackend: 192.0.2.1:")
    assert lines[3].startswith("PermissionDenied PauseBackend: [2001:db8::1]:")
    assert lines[5] == "True"
