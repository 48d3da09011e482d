"""Only our own page may give commands: a browser that knows the password must not be led by another site."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers

TOKEN_HEADER = "x-maglev-token"


class CsrfGuard:
    """Refuses requests that did not come from our page (cross-site request forgery).

    A command must carry the token, in a header that no form can set and no other origin may send without asking first
    (which is refused); be JSON, likewise; and what the browser says of its origin must be ours.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        """Another one for each start of the server; the page fetches it, which another origin cannot."""

    def refusal(self, headers: Headers) -> str:
        """Say why a request is refused; empty if it is not."""
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return "it comes from another site"
        origin = headers.get("origin")
        if origin is not None and not _is_ours(origin, headers.get("host", "")):
            return "it comes from another origin"
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return "it is not application/json"
        if not hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode("latin-1"), self.token.encode()):
            return "its token is not the right one; load the page again"
        return ""


def _is_ours(origin: str, host: str) -> bool:
    # The scheme is left out: behind a proxy that ends TLS, ours is not the browser's.
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
