"""The page: one HTML file and what it refers to, read once at the start."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

import attrs
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

MISSING = (
    "The page of the dashboard was not built: there was no Node.js, or Vite failed.\n"
    "Install a wheel of maglev-web, or build it: python plugins/maglev_web/hatch_build.py\n"
)
_KINDS = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}


@attrs.frozen
class Page:
    """The built page.

    Args:
        html: The HTML file; empty if the page was not built.
        assets: Scripts, styles and icons by name; a name changes with its content.
    """

    html: bytes
    assets: Mapping[str, bytes]

    async def answer(self, _request: Request) -> Response:
        """The page itself, the same for all paths: what it shows depends on where it is."""
        if not self.html:
            return PlainTextResponse(MISSING, 503)
        return Response(self.html, media_type="text/html", headers={"cache-control": "no-cache"})

    async def asset(self, request: Request) -> Response:
        """One of the files it refers to."""
        name = request.path_params["name"]
        content = self.assets.get(name)
        if content is None:
            return PlainTextResponse("there is no such file\n", 404)
        kind = _KINDS.get(name.rpartition(".")[2], "application/octet-stream")
        return Response(content, media_type=kind, headers=_FOREVER)


def read_page(folder: Traversable | None = None) -> Page:
    """Read the page.

    Args:
        folder: Where it was built; that of this package by default.
    """
    folder = folder or files("maglev_web") / "static"
    html = folder / "index.html"
    if not html.is_file():
        return Page(b"", {})
    assets = folder / "assets"
    return Page(html.read_bytes(), {file.name: file.read_bytes() for file in assets.iterdir() if file.is_file()})
