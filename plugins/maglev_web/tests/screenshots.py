"""Makes the pictures of the documentation: `python -m plugins.maglev_web.tests.screenshots docs/images`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, HttpCredentials, Page, sync_playwright

from plugins.maglev_web.tests.browsing import CHROMIUM, FLAGS
from plugins.maglev_web.tests.scene import PASSWORD, USER, Scene, playing, until

ADDRESSES = {
    "ams-1": "127.0.1.11", "ams-2": "127.0.1.12", "ams-3": "127.0.1.13", "fra-1": "127.0.1.21", "fra-2": "127.0.1.22",
    "zrh-1": "127.0.1.31",
}  # fmt: skip
FRONTENDS = """\
    www:
      description: the site, Amsterdam first
      address: 192.0.2.80
      protocol: tcp
      port: 443
      pools:
        - {name: primary, backends: {ams-1: {weight: 100}, ams-2: {weight: 100}, ams-3: {weight: 50}}}
        - {name: fallback, backends: {fra-1: {}, fra-2: {}}}
    api:
      description: on Zurich alone, with Frankfurt to fall back to
      address: 2001:db8::80
      protocol: tcp
      port: 443
      pools:
        - {name: primary, backends: {zrh-1: {}}}
        - {name: fallback, backends: {fra-1: {weight: 60}, fra-2: {weight: 40}}}
    downloads:
      address: 192.0.2.81
      protocol: tcp
      port: 80
      pools: [{name: primary, backends: {ams-2: {}, ams-3: {}}}]
    legacy:
      address: 192.0.2.82
      protocol: tcp
      port: 8080
      pools: [{name: only, backends: {zrh-1: {}}}]
"""


def _open(browser: Browser, scene: Scene, path: str, width: int, height: int, **more: Any) -> Page:
    credentials: HttpCredentials = {"username": USER, "password": PASSWORD}
    context = browser.new_context(viewport={"width": width, "height": height}, http_credentials=credentials, **more)
    page = context.new_page()
    page.goto(scene.url + path)
    page.wait_for_selector(".member .spark polyline")
    page.wait_for_timeout(1500)
    return page


def _prepare(scene: Scene) -> None:
    until(lambda: all(one["state"] == "up" for one in scene.state()["state"]["frontends"].values()), "all are up")
    time.sleep(12)
    for name in ("zrh-1", "ams-3"):
        scene.backends.kill(name)
    until(lambda: scene.member("api", "zrh-1")["state"] == "down", "a backend is down")
    time.sleep(4)
    scene.backends.start("ams-3")
    until(lambda: scene.member("www", "ams-3")["state"] == "up", "a backend is up")
    time.sleep(8)


def main(folder: Path) -> None:
    """Play, and take pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, playing(Path(place), ADDRESSES, FRONTENDS) as scene:
        _prepare(scene)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = _open(browser, scene, "/view/", 1280, 900)
            page.screenshot(path=folder / "dashboard-overview.png")
            page.locator("[data-frontend=www] [data-backend=ams-3] button").first.click()
            page.wait_for_timeout(700)
            page.screenshot(path=folder / "dashboard-detail.png")
            page = _open(browser, scene, "/view/", 1280, 900, color_scheme="dark")
            page.screenshot(path=folder / "dashboard-dark.png")
            page = _open(browser, scene, "/view/", 390, 844, device_scale_factor=2)
            page.screenshot(path=folder / "dashboard-phone.png")
            page = _open(browser, scene, "/admin/", 1280, 900)
            page.locator("[data-frontend=www] [data-backend=ams-1] .act button").click()
            page.get_by_role("radio", name="Weight").check()
            page.get_by_label("weight, as a number").fill("40")
            page.locator("dialog .effect").first.wait_for()
            page.wait_for_timeout(800)
            page.screenshot(path=folder / "dashboard-admin.png")
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
