"""One probe of one VIP, from the start to its outcome, whatever happens."""

from __future__ import annotations

import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from http import HTTPStatus

import anyio
import attrs
import httpx

from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.plan import Plan
from maglev_tester.probes.faults import Finding, explain
from maglev_tester.probes.http import LeanTransport
from maglev_tester.probes.network import connect
from maglev_tester.vips import Kind, Vip

STALL_NS = 50_000_000
"""A time-out that is noticed so much too late, or a quarter of the time-out, says that this process stood still."""
LONGEST_NAME = 64


@attrs.frozen
class Reply:
    """What came back: a status in a word, what is wrong with it if anything, and who answered."""

    status: str
    finding: Finding | None = None
    who: str = ""
    answered: bool = False


class Probe(ABC):
    """Asks one VIP how it does, one question at a time.

    Args:
        vip: Whom to ask.
        plan: How.
        clock_ns: A monotonic clock.
    """

    def __init__(self, vip: Vip, plan: Plan, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.vip = vip
        self._timeout_ns = plan.timeout_ns
        self._clock_ns = clock_ns

    async def run(self) -> Outcome:
        """Probe once. Raises nothing: one VIP's trouble is no other's."""
        started_ns = self._clock_ns()
        reply = await self._asked()
        ended_ns = self._clock_ns()
        if reply is None:
            finding = self._too_late(ended_ns - started_ns)
            reply = Reply(finding.status, finding)
        error, detail = (reply.finding.error, reply.finding.detail) if reply.finding else (None, "")
        return Outcome(started_ns, ended_ns, reply.status, error, detail, reply.who, reply.answered)

    async def _asked(self) -> Reply | None:
        """What came back in time."""
        try:
            with anyio.move_on_after(self._timeout_ns / 1e9):
                return await self.ask()
        except Exception as error:  # noqa: BLE001 - the edge of a probe: what it was is told in the errors panel
            finding = explain(error)
            return Reply(finding.status, finding)
        return None

    def _too_late(self, took_ns: int) -> Finding:
        overdue_ns = took_ns - self._timeout_ns
        if overdue_ns > max(STALL_NS, self._timeout_ns // 4):
            return Finding("local", ErrorClass.LOCAL, f"this process stood still for {overdue_ns // 1_000_000} ms")
        return Finding("timeout", ErrorClass.TIMEOUT, f"timeout while {self.doing}")

    @property
    @abstractmethod
    def doing(self) -> str:
        """What the probe is waiting for, in words."""

    @abstractmethod
    async def ask(self) -> Reply:
        """Ask once; raise whatever goes wrong."""

    async def aclose(self) -> None:  # noqa: B027 - most probes have nothing open between two questions
        """Close what is open between two probes."""


class TcpProbe(Probe):
    """A connection that comes about is all that is asked for."""

    doing = "connecting"

    async def ask(self) -> Reply:
        (await connect(self.vip.address, self.vip.port)).close()
        return Reply("connected")


class HttpProbe(Probe):
    """A GET, of which any status below 400 will do.

    Args:
        vip: Whom to ask.
        plan: How.
        context: For HTTPS.
        clock_ns: A monotonic clock.
    """

    def __init__(
        self, vip: Vip, plan: Plan, context: ssl.SSLContext | None, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        super().__init__(vip, plan, clock_ns)
        host = plan.host or vip.host or _authority(vip)
        connection = "keep-alive" if plan.keepalive else "close"
        self._request = httpx.Request(
            "GET",
            f"{vip.kind}://{vip.endpoint}{plan.uri}",
            headers=[("Host", host), ("User-Agent", "maglevt"), ("Accept", "*/*"), ("Connection", connection)],
        )
        self._header = plan.header
        self._transport = LeanTransport(vip.address, vip.port, context, _name_in(host), keepalive=plan.keepalive)

    @property
    def doing(self) -> str:
        return self._transport.doing

    async def ask(self) -> Reply:
        response = await self._transport.handle_async_request(self._request)
        status = response.status_code
        finding = Finding(str(status), ErrorClass.HTTP, _phrase(status)) if status >= 400 else None
        return Reply(str(status), finding, printable(response.headers.get(self._header, "")), answered=True)

    async def aclose(self) -> None:
        await self._transport.aclose()


def probes_of(plan: Plan) -> tuple[Probe, ...]:
    """Make the probes of a plan. All HTTPS VIPs share one TLS context: making one takes as long as fifty probes."""
    context = _context(plan.insecure) if any(vip.kind is Kind.HTTPS for vip in plan.vips) else None
    return tuple(_probe(vip, plan, context) for vip in plan.vips)


def _probe(vip: Vip, plan: Plan, context: ssl.SSLContext | None) -> Probe:
    if vip.kind is Kind.TCP:
        return TcpProbe(vip, plan)
    return HttpProbe(vip, plan, context if vip.kind is Kind.HTTPS else None)


def _context(insecure: bool) -> ssl.SSLContext:  # noqa: FBT001 - the one thing that is to be said of it
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _authority(vip: Vip) -> str:
    """The address as a Host header: with its port, unless that goes without saying."""
    usual = {Kind.HTTP: 80, Kind.HTTPS: 443}[vip.kind]
    return vip.endpoint.removesuffix(f":{usual}") if vip.port == usual else vip.endpoint


def _name_in(host: str) -> str:
    """The name or address in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def _phrase(status: int) -> str:
    known: Iterable[int] = HTTPStatus.__members__.values()
    return f"status {status} {HTTPStatus(status).phrase}" if status in known else f"status {status}"


def printable(text: str) -> str:
    """A header's value, fit for a terminal: a server must not be able to move somebody's cursor."""
    return "".join(char if char.isprintable() else "?" for char in text[:LONGEST_NAME]).strip()
