"""The page with what a small installation does not have: many frontends, traffic, messages and log records."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Browser, Page, Route, expect

from maglev_web.http.page import read_page
from plugins.maglev_web.tests.browsing import AXE, CHROMIUM, chromium, faults, opened
from plugins.maglev_web.tests.installation import Installation, installation, until
from plugins.maglev_web.tests.test_web_browser import ADDRESSES, FRONTENDS, SCRIPT

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium"),
    pytest.mark.skipif(not read_page().html, reason="the page was not built"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("installation"), ADDRESSES, FRONTENDS) as one:
        until(lambda: one.member("web", "alpha")["state"] == "up", "the backends are up")
        yield one


@contextmanager
def shown(
    browser: Browser, installed: Installation, daemon: Any, *, path: str = "/view/", width: int = 1280
) -> Iterator[Page]:
    """A page that shows one daemon as it is made up here, of which nothing more is heard."""
    everything = json.dumps({"id": "x-0", "at_s": time.time(), "maglevds": [daemon]})
    with opened(browser, f"{installed.url}/healthz", wait_for="body", width=width) as page:
        page.route("**/view/api/state", lambda route: route.fulfill(body=everything, content_type="application/json"))
        page.route("**/view/api/events*", lambda route: route.abort())
        page.goto(f"{installed.url}{path}")
        page.locator(".card").first.wait_for()
        yield page


def many(installed: Installation) -> Any:
    """One daemon with two hundred frontends, all like the real one's."""
    one = installed.state()
    web = one["state"]["frontends"]["web"]
    one["state"]["frontends"] = {f"web-{number:03}": web | {"name": f"web-{number:03}"} for number in range(200)}
    one["state"]["order"] = list(one["state"]["frontends"])
    return one


def painted(page: Page) -> None:
    """Wait until what is there is on the screen: a key scrolls what is seen, not what is being laid out."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")


@contextmanager
def crowded(browser: Browser, installed: Installation, width: int = 1280) -> Iterator[Page]:
    """A page with two hundred frontends, of which nothing more is heard."""
    with shown(browser, installed, many(installed), width=width) as page:
        expect(page.locator(".card")).to_have_count(200)
        yield page


def test_of_many_open_cards_only_those_near_the_window_have_rows(browser: Browser, installed: Installation) -> None:
    with crowded(browser, installed) as page:
        expect(page.locator(".member")).to_have_count(0)
        page.get_by_role("button", name="open all").click()
        expect(page.locator("[data-frontend=web-000] .member")).to_have_count(3)
        assert page.locator(".member").count() < 100
        painted(page)
        page.keyboard.press("End")
        expect(page.locator("[data-frontend=web-199] .member")).to_have_count(3)
        expect(page.locator("[data-frontend=web-000] .member")).to_have_count(0)


@pytest.mark.parametrize("width", [360, 1280])
def test_many_open_cards_keep_room_for_their_rows(browser: Browser, installed: Installation, width: int) -> None:
    high = "document.documentElement.scrollHeight"
    with crowded(browser, installed, width) as page:
        page.get_by_role("button", name="open all").click()
        expect(page.locator("[data-frontend=web-000] .member")).to_have_count(3)
        drawn = page.locator("[data-frontend=web-000]").evaluate("(one) => one.offsetHeight")
        kept = "document.querySelector('[data-frontend=web-100]').offsetHeight"
        until(lambda: page.evaluate(kept) == drawn, "a card without rows is as high as one with")
        before = page.evaluate(high)
        painted(page)
        page.keyboard.press("End")
        expect(page.locator("[data-frontend=web-199] .member")).to_have_count(3)
        assert page.evaluate(high) == before


def test_of_many_backends_hearts_beat_in_the_open_cards_in_sight(browser: Browser, installed: Installation) -> None:
    daemon = many(installed) | {"followed": 0, "probes": {}}
    for one in daemon["state"]["backends"].values():
        one["last_result"] = None
    asked: list[list[str]] = []

    def answer(route: Route) -> None:
        asked.append(parse_qs(urlsplit(route.request.url).query)["frontend"])
        probes = {"alpha": [[time.time(), 1.5, "L7OK"]], "beta": [[time.time(), 2.5, "L7STS"]]}
        route.fulfill(json=probes)

    with shown(browser, installed, daemon) as page:
        page.route("**/view/api/probes*", answer)
        page.locator("[data-frontend=web-000] .fold").click()
        hearts = page.locator("[data-frontend=web-000] .heart")
        expect(hearts.nth(0)).to_have_attribute("data-beat", "good")
        expect(hearts.nth(1)).to_have_attribute("data-beat", "bad")
        expect(hearts.nth(2)).to_have_attribute("data-beat", "none")
        assert asked == [["web-000"]]
        page.get_by_role("button", name="open all").click()
        expect(page.locator("[data-frontend=web-001] .member")).to_have_count(3)
        painted(page)
        with page.expect_request(lambda request: "web-199" in request.url and "web-000" not in request.url):
            page.keyboard.press("End")
        assert len(asked[-1]) < 30


def test_few_backends_are_not_asked_for(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/view/") as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        expect(page.locator("[data-frontend=web] .heart[data-beat=good]").first).to_be_visible()
        page.reload()
        expect(page.locator("[data-frontend=web] .heart[data-beat=good]").first).to_be_visible()
        assert not [one for one in requests if "/probes" in one]


@pytest.mark.parametrize("width", [360, 1280])
def test_traffic_of_a_frontend_is_drawn(browser: Browser, installed: Installation, width: int) -> None:
    daemon = installed.state()
    vip = daemon["state"]["frontends"]["web"]["vip"]
    rates = {"existing": 1200.0, "first": 34.0, "route_bytes": 5_600_000.0}
    packets = {"existing": 1, "first": 2}
    daemon["counters"] = [{"vip": vip, "packets": packets, "route_packets": 3, "route_bytes": 4, "rates": rates}]
    with shown(browser, installed, daemon, width=width) as page:
        page.get_by_role("button", name="Traffic of web").click()
        expect(page.locator(".rates canvas")).to_be_visible()
        expect(page.locator(".rates figcaption")).to_contain_text("1234")
        expect(page.locator(".rates figcaption")).to_contain_text("5600 k")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        page.reload()
        expect(page.locator(".rates canvas")).to_be_visible()
        page.get_by_role("button", name="Hide traffic of web").click()
        expect(page.locator(".rates")).to_have_count(0)


def test_messages_of_the_dataplane_are_told(browser: Browser, installed: Installation) -> None:
    rates = {"tx": 10.0, "rx": 10.0, "errors": 0.5}
    line = {"tx": 1000, "rx": 999, "errors": 7, "rates": rates}
    activity = {"total": line, "messages": [{"message": SCRIPT, **line, "rates": None}], "more": 3}
    with shown(browser, installed, installed.state() | {"activity": activity}, width=360) as page:
        table = page.locator("[data-table=messages]")
        expect(table.locator("caption")).to_contain_text("1000 sent, 999 received, 7 errors")
        expect(table.locator("tbody tr").first).to_contain_text("all")
        expect(table.locator("tbody tr").last).to_contain_text(SCRIPT)
        expect(table.locator("tfoot")).to_contain_text("3 more kinds")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        if AXE.exists():
            assert faults(page) == []


def test_log_records_come_to_the_event_panel_by_level(browser: Browser, installed: Installation) -> None:
    name, now_s = installed.state()["name"], time.time()
    lines = list[str]()
    for place, level in enumerate(("info", "warning", "error")):
        log = {"at_s": now_s + place, "level": level, "message": SCRIPT, "fields": {"a": SCRIPT}}
        said = {"sequence": place, "lost": 0, "initial": False, "log": log}
        lines.append(f"id: x-{place}\ndata: {json.dumps({'maglevd': name, 'kind': 'event', 'data': said})}\n\n")
    with opened(browser, f"{installed.url}/healthz", wait_for="body") as page:
        stream = "retry: 100000\n\n" + "".join(lines)
        page.route("**/admin/api/logs", lambda route: route.fulfill(body=stream, content_type="text/event-stream"))
        page.goto(f"{installed.url}/admin/")
        panel = page.locator("[data-panel=events]")
        panel.get_by_label("kind of events").select_option("log")
        expect(panel.locator("li")).to_have_count(3)
        expect(panel.locator("li").first).to_contain_text(f"error: {SCRIPT} a={SCRIPT}")
        panel.get_by_label("least level").select_option("error")
        expect(panel.locator("li")).to_have_count(1)
        assert page.evaluate("window.hacked") is None


def test_log_records_of_a_command_are_in_the_event_panel(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/admin/") as page:
        panel = page.locator("[data-panel=events]")
        panel.get_by_label("kind of events").select_option("log")

        def command() -> bool:
            page.locator("[data-frontend=web] [data-backend=spare] .act button").click()
            page.get_by_role("radio", name="Pause").or_(page.get_by_role("radio", name="Resume")).first.check()
            page.get_by_role("button", name="Confirm").click()
            expect(page.locator("dialog")).to_be_hidden()
            return panel.locator("li[data-kind=log]").count() > 0

        # The first may be over before the server asks for log records.
        until(command, "a log record is shown")
