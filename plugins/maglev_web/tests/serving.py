"""The web server on a port of its own, over daemons that are real or made up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import attrs
import httpx

from maglev import api
from maglev.listening import listen
from maglev.serving import Credentials
from maglev_grpc.convert import change_of, command_of, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed import Broker, Daemon, Daemons
from maglev_web.http import create_app
from maglev_web.http.page import Page
from maglev_web.options import Settings
from maglev_web.serve import BACKLOG, Server, configuration

USER, PASSWORD = "operator", "correct horse: battery"
OPERATOR = Credentials(USER, PASSWORD)
BASIC = httpx.BasicAuth(USER, PASSWORD)
PAGE = Page(b"<!doctype html><title>page</title>", {"main.js": b"1"})


class FakeClient:
    """A client that does what it is told, and remembers; in place of one that is connected to a daemon."""

    def __init__(self) -> None:
        self.commands: list[api.Command] = []
        self.previews: list[api.Command] = []
        self.refusal: Exception | None = None

    async def call(self, name: str, request: Any) -> pb.CommandResult:
        if self.refusal:
            raise self.refusal
        self.commands.append(command_of(request))
        assert name == type(self.commands[-1]).__name__
        return pb.CommandResult(changed=True, messages=["done"])

    async def read(self, name: str, request: Any) -> Any:
        if self.refusal:
            raise self.refusal
        if name == "GetSnapshot":
            return snapshot()
        assert name == "PreviewChange"
        self.previews.append(change_of(request))
        return pb.Preview()


def snapshot(**changes: Any) -> pb.Snapshot:
    """An empty daemon's."""
    values: dict[str, Any] = {
        "sequence": 1,
        "at_s": 1000.0,
        "version": "0.1.0",
        "started_at_s": 900.0,
        "config_loaded_at_s": 900.0,
        "warm": True,
        "frontends": {},
        "backends": {},
        "healthchecks": {},
        "dataplane": api.DataplaneSnapshot("memory", False, False, None, None, (), "not yet"),
        **changes,
    }
    message: pb.Snapshot = to_message(api.Snapshot(**values))
    return message


@attrs.define
class Served:
    """A running web server."""

    daemons: Daemons
    client: FakeClient
    http: httpx.AsyncClient
    port: int

    async def token(self) -> str:
        """The token for commands."""
        answer = await self.http.get("/admin/api/session", auth=BASIC)
        token: str = answer.json()["token"]
        return token

    async def order(self, what: str = "command", **changes: Any) -> httpx.Response:
        """Give a command as the page does; `headers` and `content` change that."""
        headers = {"x-maglev-token": await self.token(), "content-type": "application/json"}
        headers |= changes.pop("headers", {})
        body: Any = {"maglevd": "one", "command": "PauseBackend", "arguments": {"backend": "alpha"}}
        request: dict[str, Any] = {"json": body, "auth": BASIC, "headers": headers} | changes
        if "content" in changes:
            del request["json"]
        return await self.http.post(f"/admin/api/{what}", **request)


@asynccontextmanager
async def serving(
    daemons: Daemons | None = None,
    credentials: Credentials | None = OPERATOR,
    **settings: Any,
) -> AsyncIterator[Served]:
    """Serve on loopback, with one daemon `one` that takes commands."""
    broker = daemons.broker if daemons else Broker()
    client: Any = FakeClient()
    daemons = daemons or Daemons([Daemon("one", client, broker)], broker)
    chosen = Settings(servers=("one",), listen="127.0.0.1:0", credentials=credentials, **settings)
    app = await anyio.to_thread.run_sync(create_app, daemons, credentials, PAGE, chosen.allowed_hosts)
    server = Server(configuration(app, chosen), daemons)
    sock = await anyio.to_thread.run_sync(listen, chosen.listen, BACKLOG)
    port = sock.getsockname()[1]
    with sock:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [sock])
            await until(lambda: server.started, "the server serves")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
                yield Served(daemons, client, http, port)
            server.should_exit = True


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds; fail, saying what, if it never does."""
    with anyio.move_on_after(20):
        while not condition():  # noqa: ASYNC110  (any condition at all, not one that somebody signals)
            await anyio.sleep(0.01)
        return
    # Not pytest.fail: that is no Exception, and ends the loop that all tests share.
    raise AssertionError(f"never happened: {what}")


async def raw(port: int, request: bytes) -> bytes:
    """Send bytes that no client library would, and read the answer's head."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(request)
        answer = b""
        with anyio.move_on_after(5):
            while b"\r\n\r\n" not in answer:
                try:
                    answer += await stream.receive()
                except anyio.EndOfStream:
                    break
        return answer
