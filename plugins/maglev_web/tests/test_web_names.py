"""Names with letters from right to left, marks of direction and characters of no width, on the page in a Chromium."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import expect

from maglev_web.http.page import read_page
from plugins.maglev_web.tests.browsing import CHROMIUM, chromium, opened
from plugins.maglev_web.tests.installation import Installation, installation, until

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium"),
    pytest.mark.skipif(not read_page().html, reason="the page was not built"),
]

BACKEND, HEBREW = "al\\u{41}\u200bpha\u202e", "\u05d0\u05d1\u05d2"
FRONTENDS = f"""\
    "web\\u202egnorw":
      description: "\\u2067turned \\u05d0"
      address: 192.0.2.80
      protocol: tcp
      port: 80
      pools: [{{name: "{HEBREW}", backends: {{"{BACKEND.replace(chr(92), chr(92) * 2)}": {{}}}}}}]
"""


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    named = f'"{BACKEND.replace(chr(92), chr(92) * 2)}"'
    with installation(tmp_path, {named: "127.0.2.61"}, FRONTENDS) as one:
        frontend = "web\u202egnorw"
        until(lambda: one.member(frontend, BACKEND)["state"] == "up", "the backend is up")
        yield one


def test_names_turn_no_line_round_are_seen_whole_and_can_be_given_to_commands(installed: Installation) -> None:
    with chromium() as browser, opened(browser, f"{installed.url}/admin/") as page:
        row = page.locator("tr.member")
        expect(row.locator(".badge")).to_have_text("up")
        texts = page.evaluate(
            """() => [...document.querySelectorAll("*")].flatMap((one) => [
                one.innerText ?? "", ...[...one.attributes].map((attribute) => attribute.value)])"""
        )
        shown = "".join(texts)
        marks = {one for one in shown if unicodedata.category(one) == "Cf"}
        assert marks <= {"\u2068", "\u2069"}
        assert "web\\u{202e}gnorw" in shown
        assert f"\u2068{HEBREW}\u2069" in shown
        row.get_by_role("button", name="change").click()
        page.get_by_role("radio", name="Pause", exact=False).check()
        page.get_by_role("button", name="Confirm").click()
        expect(page.locator("dialog")).to_be_hidden()
        expect(row.locator(".badge")).to_have_text("paused")
