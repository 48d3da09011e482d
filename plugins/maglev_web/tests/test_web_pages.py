"""Everybody can read the public pages, and every answer carries the headers."""

from __future__ import annotations

import anyio
import httpx
import pytest

from maglev_web.feed import Broker, Daemons
from maglev_web.http import create_app
from maglev_web.http.headers import POLICY
from maglev_web.http.page import Page, read_page
from plugins.maglev_web.tests.serving import BASIC, PAGE, serving


async def test_the_root_leads_to_the_view() -> None:
    async with serving() as served:
        for path in ("/", "/view"):
            answer = await served.http.get(path)
            assert (answer.status_code, answer.headers["location"]) == (307, "/view/")


async def test_page_and_its_files_are_served() -> None:
    async with serving() as served:
        page = await served.http.get("/view/")
        assert page.content == PAGE.html
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        script = await served.http.get("/assets/main.js")
        assert script.content == b"1"
        assert "javascript" in script.headers["content-type"]
        assert "immutable" in script.headers["cache-control"]
        assert (await served.http.get("/assets/other.js")).status_code == 404


async def test_state_is_the_same_for_all_and_for_one() -> None:
    async with serving() as served:
        everything = (await served.http.get("/view/api/state")).json()
        assert [one["name"] for one in everything["maglevds"]] == ["one"]
        one = (await served.http.get("/view/api/state/one")).json()
        assert one["maglevds"] == everything["maglevds"]
        assert (await served.http.get("/view/api/state/two")).status_code == 404


async def test_daemons_version_and_health_are_told() -> None:
    async with serving() as served:
        (daemon,) = (await served.http.get("/view/api/maglevds")).json()
        assert (daemon["name"], daemon["status"]["connected"]) == ("one", False)
        assert (await served.http.get("/view/api/version")).json()["admin"] is True
        assert (await served.http.get("/healthz")).text == "ok\n"


@pytest.mark.parametrize("path", ["/view/", "/nowhere", "/admin/", "/view/api/state", "/view/api/state/x", "/assets/x"])
async def test_every_answer_is_safe(path: str) -> None:
    async with serving() as served:
        for answer in (
            await served.http.get(path),
            await served.http.post(path),
            await served.http.get(path, auth=BASIC),
        ):
            assert answer.headers["content-security-policy"] == POLICY
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "server" not in answer.headers
            assert "strict-transport-security" not in answer.headers


async def test_browsers_are_told_to_stay_with_tls_where_a_trusted_proxy_speaks_it() -> None:
    async with serving(trusted_proxies=("127.0.0.1/32",)) as served:
        answer = await served.http.get("/healthz", headers={"x-forwarded-proto": "https"})
        assert "max-age" in answer.headers["strict-transport-security"]


async def test_what_fails_inside_says_nothing_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(Daemons):
        def state(self) -> bytes:
            raise RuntimeError("secret")

    app = await anyio.to_thread.run_sync(create_app, Broken([], Broker()), None, PAGE)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
        answer = await http.get("/view/api/state")
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert answer.headers["content-security-policy"] == POLICY


async def test_page_that_was_not_built_says_so() -> None:
    app = await anyio.to_thread.run_sync(create_app, Daemons([], Broker()), None, Page(b"", {}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        answer = await http.get("/view/")
        assert answer.status_code == 503
        assert "not built" in answer.text


def test_built_page_refers_to_nothing_that_the_policy_forbids() -> None:
    page = read_page()
    if not page.html:
        pytest.skip("the page was not built")
    html = page.html.decode()
    assert "<style" not in html
    assert " style=" not in html
    assert "http:" not in html.replace("http://www.w3.org", "")
    assert "https:" not in html
    assert all(f"/assets/{name}" in html for name in page.assets if name.endswith((".js", ".css")))
