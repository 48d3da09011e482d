"""Servers that are odd from the end of the head on, and servers behind TLS."""

from __future__ import annotations

from tools.servers.behaviour import HEAD, Behaviour, answer, chunked, sized

_OK = sized()
_PEER_SAYS_NO_END = (
    "we wait for the end of the body, which the server says comes and does not; HAProxy matches what it has"
)
_INCOMPLETE = "the body is incomplete; HAProxy matches what it has"
_SMUGGLING = "two readers may frame such a body differently: ours refuses it (RFC 9112, 6.1)"
_CHUNK_LINES = "LF alone ends no chunk line (RFC 9112, 7.1): readers that disagree there can be tricked"
_LAST_LINE = "`$` is the end of the body here; for PCRE it is the place before a last newline too"
_BODY = "HAProxy matches the first 16 KiB, ours the first 64 KiB"

LENGTHS = (
    Behaviour("a body that ends with the connection", answer(), pattern="ok"),
    Behaviour("such a body, and the connection stays", answer(), False, "ok", _PEER_SAYS_NO_END, then="hold"),
    Behaviour("such a body, and a reset", answer(), False, "ok", _INCOMPLETE, then="reset"),
    Behaviour("a head, and no body comes", answer(b"Content-Length: 10", body=b""), then="hold"),
    Behaviour("a head, and no body comes", answer(b"Content-Length: 10", body=b""), False, "ok", then="hold"),
    Behaviour("closes within the body", answer(b"Content-Length: 20"), False, "ok", _INCOMPLETE),
    Behaviour("more body than its length", answer(b"Content-Length: 2", body=b"okmore"), pattern="^ok$"),
    Behaviour("a second answer behind the first", _OK + sized(body=b"no"), pattern="^ok$"),
    Behaviour("an endless body", answer(body=b""), forever=b"x" * 4096),
    Behaviour("an endless body", answer(body=b""), False, "ok", forever=b"x" * 4096),
    Behaviour("a chunked body and a length", chunked(b"2\r\nok\r\n0\r\n\r\n", b"Content-Length: 2")),
    Behaviour(
        "a chunked body and a length", chunked(b"2\r\nok\r\n0\r\n\r\n", b"Content-Length: 2"), False, "ok", _SMUGGLING
    ),
    Behaviour(
        "a chunked body in HTTP/1.0",
        answer(b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n", line=b"HTTP/1.0 200 OK"),
        False,
        "ok",
        _SMUGGLING,
    ),
)
CHUNKS = (
    Behaviour("a trailer", chunked(b"1\r\no\r\n1\r\nk\r\n0\r\nX-T: y\r\n\r\n", b"Trailer: X-T"), pattern="^ok$"),
    Behaviour("a chunk extension", chunked(b"2;a=b\r\nok\r\n0\r\n\r\n"), pattern="^ok$"),
    Behaviour(
        "a chunk size with zeros before and a blank behind", chunked(b"0002 \r\nok\r\n0\r\n\r\n"), pattern="^ok$"
    ),
    Behaviour("no last chunk", chunked(b"2\r\nok\r\n"), False, "^ok$", _INCOMPLETE),
    Behaviour("the coding in mixed letters", chunked(b"2\r\nok\r\n0\r\n\r\n", coding=b"Chunked"), pattern="ok"),
    Behaviour("gzip below the chunks", chunked(b"2\r\nok\r\n0\r\n\r\n", coding=b"gzip, chunked"), False, "ok"),
    Behaviour("chunked twice", chunked(b"2\r\nok\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"), False, "ok"),
    Behaviour("chunk lines that end in LF", chunked(b"2\nok\n0\n\n"), False, "^ok$", _CHUNK_LINES),
    Behaviour("a chunk longer than its size", chunked(b"2\r\nokok\r\n0\r\n\r\n"), False, "ok"),
    Behaviour("a negative chunk size", chunked(b"-2\r\nok\r\n0\r\n\r\n"), False, "ok"),
    Behaviour("a chunk size of 17 digits", chunked(b"10000000000000002\r\nok\r\n0\r\n\r\n"), False, "ok"),
)
CONTENT = (
    Behaviour(
        "gzip",
        sized(
            b"Content-Encoding: gzip",
            body=b"\x1f\x8b\x08\0\xaf\xf4\x09k\x02\xff+.I,)-V\xc8\xcf\x06\0\xc7\x95\xbf\xf2\x09\0\0\0",
        ),
        False,
        "status ok",
    ),
    Behaviour("gzip", sized(b"Content-Encoding: gzip", body=b"\x1f\x8b\x08\0")),
    Behaviour("UTF-16", sized(body="status ok".encode("utf-16")), False, "status ok"),
    Behaviour("a last newline before `$`", sized(body=b"OK\n"), False, "^OK$", _LAST_LINE),
    Behaviour("a second line behind `^`", sized(body=b"db: up\nstatus: ok\n"), False, "^status: ok"),
    Behaviour("a newline behind `.`", sized(body=b"status:\nok\n"), False, "status:.ok"),
    Behaviour("the words wanted after 30 KB", sized(body=b"x" * 30_100 + b"needle"), pattern="needle", why=_BODY),
)
TLS = (
    Behaviour("TLS", _OK, tls="1.3", check_tls=True),
    Behaviour("TLS", _OK, pattern="^ok$", tls="1.3", check_tls=True),
    Behaviour("TLS 1.2", _OK, pattern="^ok$", tls="1.2", check_tls=True),
    Behaviour("TLS, and a header over two lines", sized(b"X-A: b\r\n c"), pattern="^ok$", tls="1.3", check_tls=True),
    Behaviour(
        "TLS that ends without saying so, and with it the body", answer(), pattern="ok", tls="1.3", check_tls=True
    ),
    Behaviour("TLS, and no answer", b"", False, tls="1.3", check_tls=True),
    Behaviour("plain HTTP where TLS is wanted", _OK, False, check_tls=True),
    Behaviour("closes where TLS is wanted", b"", False, check_tls=True, reads=False),
    Behaviour("resets where TLS is wanted", b"", False, check_tls=True, then="reset"),
    Behaviour("a TLS alert in place of a handshake", b"\x15\x03\x03\0\x02\x02\x28", False, check_tls=True),
    Behaviour(
        "silence where TLS is wanted",
        b"",
        False,
        check_tls=True,
        then="hold",
    ),
    Behaviour("plain HTTP at a TLS port", HEAD, False, tls="1.3"),
)
