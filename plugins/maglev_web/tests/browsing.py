"""A real Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, HttpCredentials, Page, sync_playwright

from plugins.maglev_web.tests.installation import PASSWORD, USER

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).resolve().parent.parent / "page/node_modules/axe-core/axe.min.js"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, url: str, *, width: int = 1280, wait_for: str = ".card", **more: Any) -> Iterator[Page]:
    """A page in a context of its own; what it complained of fails the test.

    Args:
        browser: The browser.
        url: What to open.
        width: Of the window, in pixels.
        wait_for: What must be there before it is handed over.
        more: What else Playwright's contexts take.
    """
    complaints: list[str] = []
    elsewhere: list[str] = []
    credentials: HttpCredentials = {"username": USER, "password": PASSWORD}
    context = browser.new_context(viewport={"width": width, "height": 900}, http_credentials=credentials, **more)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    host = urlsplit(url).netloc
    page.on("request", lambda request: None if host in request.url else elsewhere.append(request.url))
    try:
        page.goto(url)
        page.wait_for_selector(wait_for)
        yield page
    finally:
        context.close()
    assert complaints == []
    assert elsewhere == []


def faults(page: Page) -> list[str]:
    """What axe finds serious, as `rule: element`."""
    # Through the debugger: the policy of the page lets no script in.
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
