"""The page in a real Chromium, over a real maglevd with the memory dataplane and real backends on loopback."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from maglev_web.http.page import read_page
from plugins.maglev_web.tests.browsing import AXE, CHROMIUM, chromium, faults, opened
from plugins.maglev_web.tests.installation import Installation, installation, until

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium"),
    pytest.mark.skipif(not read_page().html, reason="the page was not built"),
]

SCRIPT = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
ADDRESSES = {"alpha": "127.0.2.11", "beta": "127.0.2.12", "spare": "127.0.2.21"}
FRONTENDS = f"""\
    web:
      description: "{SCRIPT}"
      address: 192.0.2.80
      protocol: tcp
      port: 80
      pools:
        - {{name: primary, backends: {{alpha: {{}}, beta: {{}}}}}}
        - {{name: fallback, backends: {{spare: {{}}}}}}
    api:
      address: 2001:db8::80
      protocol: tcp
      port: 443
      pools: [{{name: primary, backends: {{alpha: {{weight: 40}}, spare: {{weight: 60}}}}}}]
"""
STATE = "[data-frontend=web] [data-backend=alpha] .badge"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("installation"), ADDRESSES, FRONTENDS) as one:
        until(lambda: one.member("web", "alpha")["state"] == "up", "the backends are up")
        yield one


def confirm(page: Page, row: str, choice: str) -> None:
    """Choose a change of a backend, and confirm it once its preview is there."""
    page.locator(f"{row} .act button").click()
    page.get_by_role("radio", name=choice, exact=False).check()
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("dialog")).to_be_hidden()


def test_killed_backend_turns_red_without_a_reload(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/view/") as page:
        expect(page.locator(STATE)).to_have_text("up")
        page.evaluate("window.same = true")
        installed.backends.kill("alpha")
        try:
            expect(page.locator(STATE)).to_have_attribute("data-state", "down", timeout=15_000)
            expect(page.locator("[data-frontend=web]")).to_have_attribute("data-condition", "degraded")
            expect(page.locator("[data-frontend=web] [data-backend=alpha] .share")).to_have_text("0 %")
            expect(page.locator("[data-frontend=web] [data-backend=beta] .share")).to_have_text("100 %")
        finally:
            installed.backends.start("alpha")
        expect(page.locator(STATE)).to_have_text("up", timeout=15_000)
        assert page.evaluate("window.same")


def test_killed_backend_is_shown_soon_after_the_event(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/view/") as page:
        expect(page.locator(STATE)).to_have_text("up")
        page.evaluate(
            """(wanted) => {
                const seen = new MutationObserver(() => {
                    if (document.querySelector(wanted)?.dataset.state === 'down') window.at ??= Date.now() / 1000;
                });
                seen.observe(document.body, {subtree: true, childList: true, attributes: true});
            }""",
            STATE,
        )
        installed.backends.kill("alpha")
        try:
            until(lambda: page.evaluate("window.at"), "the page shows it")
        finally:
            installed.backends.start("alpha")
        history = installed.state()["state"]["backends"]["alpha"]["history"]
        down = next(one["at_s"] for one in reversed(history) if one["to_state"] == "down")
        # Noted, not asserted: how fast a machine is, is for `make bench`.
        logging.getLogger(__name__).info("shown %.3f s after the event", page.evaluate("window.at") - down)
        expect(page.locator(STATE)).to_have_text("up", timeout=15_000)


def test_pause_and_resume_take_effect_in_the_dataplane(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/admin/") as page:
        row = "[data-frontend=web] [data-backend=beta]"
        confirm(page, row, "Pause")
        expect(page.locator(f"{row} .badge")).to_have_text("paused")
        until(lambda: installed.member("web", "beta")["dataplane_weight"] == 0, "the dataplane gives it no new flows")
        confirm(page, row, "Resume")
        expect(page.locator(f"{row} .badge")).to_have_text("up", timeout=15_000)
        until(lambda: installed.member("web", "beta")["dataplane_weight"], "the dataplane gives it new flows")


def test_disable_and_enable_take_effect_in_the_dataplane(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/admin/") as page:
        row = "[data-frontend=web] [data-backend=beta]"
        confirm(page, row, "Disable")
        expect(page.locator(f"{row} .badge")).to_have_text("disabled")
        until(lambda: installed.member("web", "beta")["dataplane_weight"] == 0, "the dataplane gives it no new flows")
        confirm(page, row, "Enable")
        expect(page.locator(f"{row} .badge")).to_have_text("up", timeout=15_000)
        until(lambda: installed.member("web", "beta")["dataplane_weight"], "the dataplane gives it new flows")


def test_weight_is_previewed_and_takes_effect_in_the_dataplane(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/admin/") as page:
        before = installed.member("api", "alpha")["dataplane_weight"]
        page.locator("[data-frontend=api] [data-backend=alpha] .act button").click()
        page.get_by_role("radio", name="Weight").check()
        page.get_by_label("weight, as a number").fill("80")
        moved = page.get_by_test_id("moved")
        expect(page.locator("dialog .compare")).to_contain_text("40 → 80")
        expect(moved).not_to_have_text("0 %")
        assert installed.member("api", "alpha")["dataplane_weight"] == before
        page.get_by_role("button", name="Confirm").click()
        expect(page.locator("[data-frontend=api] [data-backend=alpha] [data-label=weight]")).to_contain_text("80")
        until(
            lambda: installed.member("api", "alpha")["dataplane_weight"] == 2 * before, "the dataplane has the weight"
        )


def test_preview_tells_states_pools_and_writes_for_no_frontend(browser: Browser, installed: Installation) -> None:
    shares = {"weights": {"alpha": 100}, "table_weights": {}, "buckets": {}}
    frontend = {
        "frontend": "web",
        "before": {**shares, "state": "up", "active_pool": "primary"},
        "after": {**shares, "state": "down", "active_pool": "fallback"},
        "moved": 1.0,
        "moved_avoidable": 0.0,
        "operations": ["first write"],
        "flushed": [],
    }
    backends = [
        {"backend": "alpha", "before": "up", "after": "paused"},
        {"backend": "new", "before": None, "after": "unknown"},
        {"backend": SCRIPT, "before": "up", "after": None},
    ]
    operations = ["first write", "second write"]
    preview = {"frontends": [frontend], "messages": [], "backends": backends, "operations": operations}
    with opened(browser, f"{installed.url}/admin/") as page:
        page.route("**/admin/api/preview", lambda route: route.fulfill(json=preview))
        page.locator("[data-frontend=web] [data-backend=beta] .act button").click()
        told = page.locator("dialog .preview")
        expect(told).to_contain_text(f"alpha: up → paused, new: not there → unknown, {SCRIPT}: up → gone")
        expect(told).to_contain_text("state: up → down")
        expect(told).to_contain_text("active pool: primary → fallback")
        expect(told.locator("summary")).to_have_text(["1 write to the dataplane", "1 other write to the dataplane"])
        told.locator("summary").last.click()
        expect(told.locator("li").last).to_have_text("second write")


def test_refused_command_says_why_and_cannot_be_confirmed(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/admin/") as page:
        page.route("**/admin/api/preview", lambda route: route.fulfill(status=409, json={"error": "not now, because"}))
        page.locator("[data-frontend=web] [data-backend=beta] .act button").click()
        expect(page.get_by_role("alert").filter(has_text="not now, because")).to_be_visible()
        expect(page.get_by_role("button", name="Confirm")).to_be_disabled()
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_be_hidden()


def test_script_in_a_description_is_text(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/view/") as page:
        expect(page.locator("[data-frontend=web] .about")).to_contain_text(SCRIPT)
        assert page.evaluate("window.hacked") is None


def test_page_survives_a_restart_of_its_server(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/admin/") as page:
        page.evaluate("window.same = true")
        assert installed.frontend.stop() == 0
        expect(page.locator(".link")).to_have_attribute("data-link", "lost", timeout=15_000)
        installed.frontend.start()
        expect(page.locator(".link")).to_have_attribute("data-link", "open", timeout=30_000)
        until(installed.serves, "the dashboard is connected")
        # The token of the old server is worth nothing now: the page fetches the new one.
        row = "[data-frontend=web] [data-backend=beta]"
        confirm(page, row, "Pause")
        expect(page.locator(f"{row} .badge")).to_have_text("paused")
        confirm(page, row, "Resume")
        expect(page.locator(f"{row} .badge")).to_have_text("up", timeout=15_000)
        assert page.evaluate("window.same")


def test_page_survives_a_restart_of_the_daemon_and_says_so(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/view/") as page:
        page.evaluate("window.same = true")
        installed.daemon.stop()
        expect(page.locator(".status")).to_have_attribute("data-ok", "false", timeout=15_000)
        expect(page.locator(".status")).to_contain_text("not connected")
        installed.daemon.start()
        expect(page.locator(".status")).to_have_attribute("data-ok", "true", timeout=30_000)
        expect(page.locator(".status")).to_contain_text("restarted 1 ×", timeout=15_000)
        expect(page.locator(STATE)).to_have_text("up", timeout=15_000)
        assert page.evaluate("window.same")


def test_page_fetches_everything_anew_after_a_sleep(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/view/") as page:
        expect(page.locator(".link")).to_have_attribute("data-link", "open")
        with page.expect_response("**/view/api/state"):
            page.evaluate("() => { const now = Date.now; Date.now = () => now() + 3600_000; }")
        expect(page.locator(".link")).to_have_attribute("data-link", "open")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_axe_finds_nothing_serious(browser: Browser, installed: Installation, width: int, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: the page was built elsewhere")
    with opened(browser, f"{installed.url}/admin/", width=width, color_scheme=scheme) as page:
        page.locator("[data-frontend=web] [data-backend=beta] .who button").click()
        expect(page.locator(".details .history li").first).to_be_visible()
        assert faults(page) == []
        page.locator("[data-frontend=web] [data-backend=beta] .act button").click()
        expect(page.locator("dialog .effect").first).to_be_visible()
        still = "document.getAnimations().every((one) => one.playState === 'finished')"
        until(lambda: page.evaluate(still), "nothing flashes")
        assert faults(page) == []


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 2560])
def test_nothing_is_wider_than_the_window(browser: Browser, installed: Installation, width: int) -> None:
    with opened(browser, f"{installed.url}/admin/", width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        hidden = "[...document.querySelectorAll('.card, .panel')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
        assert page.evaluate(hidden) == 0


def test_nothing_jumps_while_probes_come_in(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/view/") as page:
        expect(page.locator(".spark polyline").first).to_be_attached()
        page.evaluate(
            """() => {
                window.jumps = [];
                const note = (list) => window.jumps.push(...list.getEntries().map((one) => one.value));
                new PerformanceObserver(note).observe({type: 'layout-shift', buffered: false});
            }"""
        )
        beats = "document.querySelectorAll('.heart[data-beat=good]').length"
        until(lambda: page.evaluate(beats) >= 3, "hearts beat")
        page.wait_for_timeout(3000)
        assert page.evaluate("window.jumps.filter((one) => one > 0.001)") == []


def test_everything_can_be_done_with_the_keyboard(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/admin/") as page:
        button = page.get_by_role("button", name="change beta in web")
        button.focus()
        page.keyboard.press("Enter")
        expect(page.locator("dialog")).to_be_visible()
        expect(page.get_by_role("radio").first).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("radio", name="Disable")).to_be_checked()
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_be_hidden()
        expect(button).to_be_focused()


def test_closed_cards_stay_closed_over_a_reload(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/view/") as page:
        fold = page.locator("[data-frontend=web] .fold")
        fold.click()
        page.reload()
        expect(fold).to_have_attribute("aria-expanded", "false")
        expect(page.locator("[data-frontend=api] .fold")).to_have_attribute("aria-expanded", "true")


def test_paused_event_panel_stands_still_and_filters(browser: Browser, installed: Installation, tmp_path: Path) -> None:
    with opened(browser, f"{installed.url}/admin/") as page:
        panel = page.locator("[data-panel=events]")
        row = "[data-frontend=web] [data-backend=beta]"
        panel.get_by_role("button", name="Pause").click()
        before = panel.locator("li").count()
        confirm(page, row, "Pause")
        expect(page.locator(f"{row} .badge")).to_have_text("paused")
        assert panel.locator("li").count() == before
        panel.get_by_role("button", name="Go on").click()
        panel.get_by_label("kind of events").select_option("backend")
        expect(panel.locator("li").first).to_contain_text("beta: up → paused")
        panel.get_by_label("filter events").fill("nobody")
        expect(panel.locator("li")).to_have_text(["nothing yet"])
        confirm(page, row, "Resume")


def several(installed: Installation) -> str:
    """The state of two daemons, made of the real one's: the second is away, and all in it is named by a script."""
    one = installed.state()
    text = json.dumps(one).replace('"web"', json.dumps(SCRIPT)).replace('"alpha"', json.dumps(SCRIPT))
    two = json.loads(text) | {"name": SCRIPT}
    two["status"] |= {"connected": False, "answering": False, "why": SCRIPT}
    for check in two["state"]["healthchecks"].values():
        check["name"] = SCRIPT
    return json.dumps({"id": "x-0", "at_s": time.time(), "maglevds": [one, two]})


def test_several_daemons_are_told_apart_and_no_name_is_a_script(browser: Browser, installed: Installation) -> None:
    with opened(browser, f"{installed.url}/healthz", wait_for="body") as page:
        everything = several(installed)
        page.route("**/view/api/state", lambda route: route.fulfill(body=everything, content_type="application/json"))
        page.route("**/view/api/events*", lambda route: route.abort())
        page.goto(f"{installed.url}/admin/")
        links = page.locator(".daemons a")
        expect(links).to_have_count(2)
        expect(links.first).to_have_attribute("data-link", "open")
        expect(links.last).to_have_attribute("data-link", "lost")
        expect(page.locator(".status")).to_have_attribute("data-ok", "true")
        links.last.click()
        expect(page.locator(".status")).to_have_attribute("data-ok", "false")
        expect(page.locator(".card .name").first).to_have_text(SCRIPT)
        row = page.locator(".card").first.locator(".member").first
        row.locator(".who button").click()
        expect(page.locator(".details")).to_contain_text(SCRIPT)
        row.locator(".act button").click()
        expect(page.locator("dialog h2")).to_contain_text(SCRIPT)
        assert page.evaluate("window.hacked") is None
