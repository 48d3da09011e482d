"""Targets of hostile redirects."""

from __future__ import annotations

HOSTILE_PLACES = [
    "http://x:99999/", "http://x:0/", "http://x:-1/", "http://xn--/", "http://xn--a/", "http://xn--zzzzzz99/",
    "http://[::1", "http://[fe80::1%25eth0]/", "http://[v1.x]/", "http://a b/", "//", "http://", "http:///", "://",
    "ftp://a/",
    "javascript:alert(1)", "http://\u00e9.example/", "http://" + "a" * 300 + "/", "http://" + "a." * 200 + "/",
    "/\u00e9 \u2028",
    "http://user:pass@x/", "http://x/%zz%00", "http://\u2488/", "http://\u00ad/", "?", "#", "http://x\\y/",
    "https://xn--/", "https://.x/",
    "http://1.2.3.4.5:65536/", "/" + "a" * 60_000, "\\\\x\\y",
    "http://x:\u0661/", "http://%31/", "http://[::ffff:1.2.3.4]/", "",
]  # fmt: skip
