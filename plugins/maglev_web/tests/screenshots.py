"""Makes the pictures of the documentation: `python -m plugins.maglev_web.tests.screenshots docs/images [VPP]`.

With the folder of a running VPP's sockets (`api.sock`, `stats.sock`, `cli.sock`) and its `vppctl` in the path, that is
the dataplane, packets are made in it, and there are pictures of what it carries; the dataplane is one in memory
otherwise.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, HttpCredentials, Page, ViewportSize, sync_playwright

from plugins.maglev_web.tests.browsing import CHROMIUM, FLAGS
from plugins.maglev_web.tests.installation import MEMORY, PASSWORD, USER, Installation, installation, until

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


def _open(browser: Browser, installed: Installation, path: str, width: int, height: int, **more: Any) -> Page:
    credentials: HttpCredentials = {"username": USER, "password": PASSWORD}
    size: ViewportSize = {"width": width, "height": height}
    context = browser.new_context(viewport=size, http_credentials=credentials, bypass_csp=True, **more)
    page = context.new_page()
    page.goto(installed.url + path)
    # There are no scroll bars in a picture, and so no room for them.
    page.add_style_tag(content="html { scrollbar-gutter: auto !important; }")
    page.wait_for_selector(".member .spark polyline")
    page.wait_for_timeout(1500)
    return page


def _prepare(installed: Installation) -> None:
    until(lambda: all(one["state"] == "up" for one in installed.state()["state"]["frontends"].values()), "all are up")
    time.sleep(12)
    for name in ("zrh-1", "ams-3"):
        installed.backends.kill(name)
    until(lambda: installed.member("api", "zrh-1")["state"] == "down", "a backend is down")
    time.sleep(4)
    installed.backends.start("ams-3")
    until(lambda: installed.member("www", "ams-3")["state"] == "up", "a backend is up")
    time.sleep(8)


LB = """\
  dataplane: vpp
  vpp: {lb: {ipv4-src-address: 192.0.2.254, ipv6-src-address: "2001:db8::254", startup-min-delay: 0}}
"""


def _cli(vpp: Path, command: str) -> None:
    subprocess.run(["vppctl", "-s", vpp / "cli.sock", command], check=True, stdout=subprocess.DEVNULL)


def _send(vpp: Path, number: int, rate: int) -> None:
    """Have VPP make packets for the site, so many a second, of flows that come and go."""
    data = "data { TCP: 198.51.100.1 - 198.51.100.200 -> 192.0.2.80 TCP: 1000 - 9000 -> 443 incrementing 300 }"
    stream = f"name s{number} limit {rate * 3} rate {rate} size 400-400 interface pg0 node ip4-input {data}"
    _cli(vpp, f"packet-generator new {{ {stream} }}")
    _cli(vpp, f"packet-generator enable-stream s{number}")


def _carry(vpp: Path) -> None:
    """A minute of traffic that rises and falls."""
    for command in ("create packet-generator interface pg0", "set interface state pg0 up"):
        _cli(vpp, command)
    _cli(vpp, "set interface ip address pg0 198.51.100.254/24")
    for number in range(20):
        _send(vpp, number, 800 + 400 * (number % 7) + 90 * number)
        time.sleep(3)


def _take(installed: Installation, folder: Path, vpp: Path | None) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        if vpp:
            page = _open(browser, installed, "/view/", 1280, 900)
            page.get_by_role("button", name="Traffic of www").click()
            _carry(vpp)
            page.locator("[data-frontend=www]").scroll_into_view_if_needed()
            page.screenshot(path=folder / "dashboard-traffic.png")
            page.locator("[data-panel=dataplane]").screenshot(path=folder / "dashboard-dataplane.png")
        page = _open(browser, installed, "/view/", 1280, 900)
        page.screenshot(path=folder / "dashboard-overview.png")
        page.locator("[data-frontend=www] [data-backend=ams-3] button").first.click()
        page.wait_for_timeout(700)
        page.screenshot(path=folder / "dashboard-detail.png")
        page = _open(browser, installed, "/view/", 1280, 900, color_scheme="dark")
        page.screenshot(path=folder / "dashboard-dark.png")
        page = _open(browser, installed, "/view/", 390, 844, device_scale_factor=2)
        page.screenshot(path=folder / "dashboard-phone.png")
        page = _open(browser, installed, "/admin/", 1280, 900)
        installed.backends.kill("ams-2")
        until(lambda: installed.member("www", "ams-2")["state"] == "down", "a backend is down")
        installed.backends.start("ams-2")
        until(lambda: installed.member("www", "ams-2")["state"] == "up", "a backend is up")
        page.wait_for_timeout(1000)
        page.locator("[data-panel=events]").screenshot(path=folder / "dashboard-events.png")
        page.locator("[data-frontend=www] [data-backend=ams-1] .act button").click()
        page.get_by_role("radio", name="Weight").check()
        page.get_by_label("weight, as a number").fill("40")
        page.locator("dialog .effect").first.wait_for()
        page.wait_for_timeout(800)
        page.screenshot(path=folder / "dashboard-admin.png")
        browser.close()


def main(folder: Path, vpp: Path | None = None) -> None:
    """Play, and take pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    plane, environment = (MEMORY, {}) if vpp is None else (LB, _addresses(vpp))
    with (
        tempfile.TemporaryDirectory() as place,
        installation(Path(place), ADDRESSES, FRONTENDS, plane, **environment) as installed,
    ):
        _prepare(installed)
        _take(installed, folder, vpp)


def _addresses(vpp: Path) -> dict[str, str]:
    return {"MAGLEV_VPP_API_ADDR": str(vpp / "api.sock"), "MAGLEV_VPP_STATS_ADDR": str(vpp / "stats.sock")}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
