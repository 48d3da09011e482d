"""Both engines give the same verdict on errors of routes and routers, and never a void one."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from maglev.api import Code, ProbeResult, Target, Verdict
from maglev.testing import probe_once
from maglev_http.checkers import HttpChecker
from maglev_http.options import HttpOptions
from plugins.maglev_http.tests.unreachable import ROUTES, answered, nothing_reachable, permitted, routed

_WHY_NOT = permitted()
pytestmark = [pytest.mark.netns, pytest.mark.skipif(bool(_WHY_NOT), reason=_WHY_NOT)]


@pytest.fixture(scope="module")
def netns() -> Iterator[str]:
    with nothing_reachable() as name:
        yield name


def ask(netns: str, address: str) -> tuple[ProbeResult, ProbeResult]:
    target = Target("a", ip_address(address), 80, timeout_ns=20_000_000_000, netns=netns)
    lean, httpx = (probe_once(HttpChecker.build(HttpOptions(engine=engine)), target) for engine in ("lean", "httpx"))
    return lean, httpx


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("kind", ROUTES)
def test_a_route_that_refuses(netns: str, kind: str, version: int) -> None:
    lean, httpx = ask(netns, routed(kind, version))
    assert (lean.code, lean.detail) == (httpx.code, httpx.detail)
    assert httpx.code is Code.L4CON


@pytest.mark.parametrize("icmp_type,code", [*((3, code) for code in (0, 1, 2, 3, 6, 9, 10, 13)), (12, 0)])
def test_a_router_that_answers_with_an_error(netns: str, icmp_type: int, code: int) -> None:
    lean, httpx = ask(netns, answered(icmp_type, code))
    assert (lean.code, lean.detail) == (httpx.code, httpx.detail)
    assert httpx.verdict is Verdict.FAIL
