"""`show flow` names the server that a VPP was seen to send each of 300 recorded flows to, on every dataplane."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from plugins.maglev_cli.tests.site import Daemon, until
from plugins.maglev_vpp.tests.standin.harness import RealVpp, Standin

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[3] / "tests/data/vpp-flows.json").read_text())
BINARY, PLUGINS = os.environ.get("MAGLEV_TEST_VPP", ""), os.environ.get("MAGLEV_TEST_VPP_PLUGINS", "")
DATAPLANES = ["memory", "stand-in", *(["real VPP"] if BINARY else [])]


@pytest.fixture(scope="module")
def short_folder() -> Iterator[Path]:
    """A folder whose name is short enough for unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="mv-"))
    yield folder
    shutil.rmtree(folder)


def configuration(folder: Path | None) -> str:
    """The recorded VIP and servers, with their weights as they are in the table, on a VPP in a folder or in memory."""
    table = f"new-flow-table-length: {RECORDED['table_length']}, weight-step: 1"
    warm_up = "startup-min-delay: 0, startup-max-delay: 0"
    sources = "ipv4-src-address: 192.0.2.1, ipv6-src-address: 2001:db8::1"
    sockets = f", api-addr: {folder}/api.sock, stats-addr: {folder}/stats.sock" if folder else ""
    name, options = ("vpp", f"lb: {{{table}, {warm_up}, {sources}}}{sockets}")
    if folder is None:
        name, options = "memory", f"lb: {{{table}, {warm_up}}}"
    backends = "".join(f"    s{at}: {{address: {server}}}\n" for at, server in enumerate(RECORDED["servers"]))
    weights = ", ".join(f"s{at}: {{weight: {weight}}}" for at, weight in enumerate(RECORDED["servers"].values()))
    return (
        f"maglev:\n  dataplane: {name}\n  {name}: {{{options}}}\n  backends:\n{backends}  frontends:\n"
        f"    recorded:\n      address: {RECORDED['vip']}\n      protocol: tcp\n      port: {RECORDED['port']}\n"
        f"      pools: [{{name: only, backends: {{{weights}}}}}]\n"
    )


@pytest.fixture(scope="module", params=DATAPLANES)
async def daemon(request: pytest.FixtureRequest, short_folder: Path) -> AsyncIterator[Daemon]:
    """A maglevd on a dataplane of each kind, filled."""
    async with AsyncExitStack() as stack:
        folder = None if request.param == "memory" else short_folder
        if folder is not None:
            vpp = Standin(folder) if request.param == "stand-in" else RealVpp(folder, BINARY, PLUGINS)
            await vpp.start()
            stack.push_async_callback(vpp.kill)
        made = await anyio.to_thread.run_sync(started, short_folder / "maglev.yaml", configuration(folder))
        stack.push_async_callback(anyio.to_thread.run_sync, made.stop)
        await anyio.to_thread.run_sync(until, lambda: weights(made) == RECORDED["servers"], "the dataplane is filled")
        yield made


def started(file: Path, text: str) -> Daemon:
    """Start maglevd on a configuration."""
    file.write_text(text)
    made = Daemon(file, plugins="grpc,vpp")
    made.start()
    return made


def weights(daemon: Daemon) -> dict[str, int]:
    """What the dataplane holds: weights by server."""
    vips = daemon.json_of("show dataplane state")["vips"]
    return {server["address"]: server["weight"] for vip in vips for server in vip["servers"]}


def documents(text: str) -> Iterator[Any]:
    """The JSON documents that stand in a text one after the other."""
    while text := text.lstrip():
        document, end = json.JSONDecoder().raw_decode(text)
        yield document
        text = text[end:]


def ask_all(daemon: Daemon, lines: list[str]) -> list[Any]:
    """Have one `maglevc` run many commands."""
    done = daemon.run("--output", "json", text="\n".join(lines))
    assert (done.returncode, done.stderr) == (0, "")
    return list(documents(done.stdout))


async def test_show_flow_names_the_server_that_vpp_chose(daemon: Daemon) -> None:
    flows: dict[str, str] = RECORDED["server_by_source_port"]
    lines = [f"show flow recorded {RECORDED['source']} {port}" for port in flows]
    told = await anyio.to_thread.run_sync(ask_all, daemon, lines)
    assert [trace["server"] for trace in told] == list(flows.values())
    assert len(told) == 300


async def test_what_a_person_reads_names_it_too(daemon: Daemon) -> None:
    for port, server in list(RECORDED["server_by_source_port"].items())[::60]:
        line = f"show flow recorded {RECORDED['source']} {port}"
        assert server in await anyio.to_thread.run_sync(daemon.text_of, line)


async def test_show_vpp_info_adds_up_the_messages_of_a_vpp(daemon: Daemon) -> None:
    text = await anyio.to_thread.run_sync(daemon.text_of, "show vpp info")
    told = await anyio.to_thread.run_sync(daemon.json_of, "show vpp info")
    counts = {(each["message"], each["direction"]): int(each["count"]) for each in told["api_messages"]}
    if told["name"] == "memory":
        assert counts == {}
        assert "messages" not in text
    else:
        assert counts["lb_add_del_as_v2", "tx"] == counts["lb_add_del_as_v2_reply", "rx"] == len(RECORDED["servers"])
        assert " sent, " in text
        assert " 0 of them errors" in text
