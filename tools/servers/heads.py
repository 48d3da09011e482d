"""Servers that are odd from the connection to the end of the head."""

from __future__ import annotations

from tools.servers.behaviour import HEAD, Behaviour, answer, sized

_STRICTER = "with a pattern a malformed header line is refused: another reader might frame the body differently"
_LENIENT = "without a pattern no header but the lengths is looked at; HAProxy reads every line"
_INTERIM = "an interim answer comes before the final one (RFC 9110, 15.2); HAProxy takes it for the final one"
_BUFFER = "HAProxy wants the head in its buffer of 16 KiB; ours may have 64 KiB"
_OK = sized()
_TWO_LENGTHS = answer(b"Content-Length: 2", b"Content-Length: 3")


def _filled(headers: int) -> bytes:
    return sized(*(b"X-Filler-%d: " % number + b"a" * 1000 for number in range(headers)))


CONNECTIONS = (
    Behaviour("a good server", _OK),
    Behaviour("a good server", _OK, pattern="^ok$"),
    Behaviour("keeps the connection open after the answer", _OK, pattern="^ok$", then="hold"),
    Behaviour("nobody listens", b"", False, listens=False),
    Behaviour("closes at once", b"", False, reads=False),
    Behaviour("resets at once", b"", False, reads=False, then="reset"),
    Behaviour("closes without an answer (as one that waits for a PROXY header does)", b"", False),
    Behaviour("resets without an answer", b"", False, then="reset"),
    Behaviour("never answers", b"", False, then="hold"),
    Behaviour("answers after 3/4 of the timeout", _OK, delay=0.75),
    Behaviour("answers after 5/4 of the timeout", _OK, False, delay=1.25),
    Behaviour("answers before the request is sent", _OK, reads=False, then="hold"),
    Behaviour("answers, and closes with the request unread", _OK, reads=False),
    Behaviour("503, and closes with the request unread", sized(line=b"HTTP/1.1 503 Unavailable"), False, reads=False),
    Behaviour("408 before the request, then a reset", sized(line=b"HTTP/1.1 408 x"), False, reads=False, then="reset"),
    Behaviour("answers, then resets", _OK, then="reset"),
    Behaviour("answers, then resets", _OK, pattern="ok", then="reset"),
    Behaviour("resets within the head", HEAD + b"Server: x", False, then="reset"),
    Behaviour("answers in pieces of 7 bytes", _OK, pattern="^ok$", piece=7, pause=0.01),
    Behaviour("a head that drips, a byte at a time", _OK, False, piece=1, pause=0.1),
    Behaviour("closes after the status line", b"HTTP/1.0 200 OK\r\n", False),
    Behaviour("endless headers", HEAD, False, forever=b"X: " + b"x" * 1000 + b"\r\n"),
)
OTHER_PROTOCOLS = (
    Behaviour("HTTP/0.9: a page without a head", b"<html>hello</html>\n", False),
    Behaviour("HTTP/0.9: a page without a head", b"<html>ok</html>\n", False, "ok"),
    Behaviour("the protocol's name in small letters", b"http/1.1 200 ok\r\nContent-Length: 0\r\n\r\n", False),
    Behaviour("HTTP/2 in a status line", b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n", False),
    Behaviour(
        "HTTP/2 frames",
        b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0d\0\x04\0\x10\0\0\0\x06\0\0@\0",
        False,
        then="hold",
    ),
    Behaviour("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", False, reads=False, then="hold"),
    Behaviour("SMTP", b"220 mail.example ESMTP\r\n", False, reads=False, then="hold"),
    Behaviour("RTSP", b"RTSP/1.0 200 OK\r\n\r\n", False, "", "HAProxy takes RTSP for HTTP"),
    Behaviour("ICY", b"ICY 200 OK\r\nicy-name: x\r\n\r\n", False),
    Behaviour("a TLS alert", b"\x15\x03\x01\0\x02\x02\x46", False),
    Behaviour("a byte order mark before the status line", b"\xef\xbb\xbf" + _OK, False),
    Behaviour("a blank before the status line", b" " + _OK, False),
    Behaviour("400, as a TLS port says to plain HTTP", sized(line=b"HTTP/1.1 400 Bad Request"), False),
)
STATUS_LINES = (
    Behaviour("HTTP/1.0", b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello"),
    Behaviour("HTTP/1.0", b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello", pattern="hello"),
    Behaviour("HTTP/1.2", sized(line=b"HTTP/1.2 200 OK")),
    Behaviour("HTTP/1.2", sized(line=b"HTTP/1.2 200 OK"), pattern="^ok$"),
    Behaviour("HTTP/1.12", sized(line=b"HTTP/1.12 200 OK"), False),
    Behaviour("no reason", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    Behaviour("a reason in Latin-1", sized(line=b"HTTP/1.1 200 Schl\xfcssig")),
    Behaviour("two blanks in the status line", sized(line=b"HTTP/1.1  200  OK")),
    Behaviour("two blanks in the status line", sized(line=b"HTTP/1.1  200  OK"), pattern="^ok$"),
    Behaviour(
        "a tab in the status line",
        sized(line=b"HTTP/1.1\t200\tOK"),
    ),
    Behaviour("a CR within the status line", sized(line=b"HTTP/1.1 200 O\rK"), False),
    Behaviour("an empty line before the status line", b"\r\n" + _OK),
    Behaviour("an empty line before the status line", b"\r\n" + _OK, pattern="^ok$"),
    Behaviour("empty lines that end in LF before the status line", b"\n\n" + _OK),
    Behaviour("status 20", answer(b"Content-Length: 0", body=b"", line=b"HTTP/1.1 20 OK"), False),
    Behaviour("status 2000", answer(b"Content-Length: 0", body=b"", line=b"HTTP/1.1 2000 OK"), False),
    Behaviour("status 099", answer(b"Content-Length: 0", body=b"", line=b"HTTP/1.1 099 OK"), False),
    Behaviour("status 999", answer(b"Content-Length: 0", body=b"", line=b"HTTP/1.1 999 Denied"), False),
    Behaviour("204", answer(line=b"HTTP/1.1 204 No Content", body=b"")),
    Behaviour("204 with a body", sized(line=b"HTTP/1.1 204 No Content"), False, "ok"),
    Behaviour("301", answer(b"Content-Length: 0", b"Location: /x", line=b"HTTP/1.1 301 Moved", body=b""), False),
    Behaviour("304", answer(line=b"HTTP/1.1 304 Not Modified", body=b""), False),
    Behaviour("401", sized(line=b"HTTP/1.1 401 Unauthorized", body=b"x"), False),
    Behaviour("404", sized(line=b"HTTP/1.1 404 Not Found", body=b"x"), False),
    Behaviour("426 Upgrade Required", answer(b"Upgrade: h2c", line=b"HTTP/1.1 426 Upgrade Required"), False),
    Behaviour("503 with the body wanted", sized(line=b"HTTP/1.1 503 No"), False, "ok"),
    Behaviour(
        "101 Switching Protocols",
        answer(b"Upgrade: x", b"Connection: upgrade", line=b"HTTP/1.1 101 Switching Protocols", body=b""),
        False,
    ),
    Behaviour("100 before the answer", b"HTTP/1.1 100 Continue\r\n\r\n" + _OK, why=_INTERIM),
    Behaviour(
        "three 103 before the answer",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + _OK,
        pattern="ok",
        why=_INTERIM,
    ),
    Behaviour("100, and nothing after it", b"HTTP/1.1 100 Continue\r\n\r\n", False, then="hold"),
    Behaviour("endless interim answers", b"", False, forever=b"HTTP/1.1 102 Processing\r\n\r\n" * 20),
)
HEADERS = (
    Behaviour("lines that end in LF", b"HTTP/1.1 200 OK\nContent-Type: text/plain\n\nok"),
    Behaviour("lines that end in LF", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", pattern="^ok$"),
    Behaviour("only the empty line ends in LF", HEAD + b"Content-Type: text/plain\n\nok\n"),
    Behaviour("only the empty line ends in LF", HEAD + b"Content-Length: 2\n\nok", pattern="^ok$"),
    Behaviour("only the empty line ends in CRLF", b"HTTP/1.1 200 OK\nContent-Length: 2\n\r\nok", pattern="^ok$"),
    Behaviour("lines that end in CR", b"HTTP/1.1 200 OK\rContent-Length: 2\r\rok", False, then="hold"),
    Behaviour("a header over two lines", sized(b"X-A: b\r\n  c")),
    Behaviour("a header over two lines", sized(b"X-A: b\r\n  c"), pattern="ok"),
    Behaviour("the length on a line of its own", answer(b"Content-Length:\r\n 2"), pattern="^ok$"),
    Behaviour("a continuation line before any header", answer(b" X-A: b", b"Content-Length: 2"), why=_LENIENT),
    Behaviour("a continuation line before any header", answer(b" X-A: b", b"Content-Length: 2"), False, "ok"),
    Behaviour("a blank before the colon", sized(b"X-A : b"), why=_LENIENT),
    Behaviour("a blank before the colon", sized(b"X-A : b"), False, "ok"),
    Behaviour("a header line without a colon", sized(b"garbage"), why=_LENIENT),
    Behaviour("a header line without a colon", sized(b"garbage"), False, "ok"),
    Behaviour("a NUL in a header", sized(b"X-A: a\0b"), False, "ok", _STRICTER),
    Behaviour("a CR within a header", sized(b"X-A: a\rb"), False, "ok"),
    Behaviour("UTF-8 in a header", sized("X-A: grün".encode()), pattern="^ok$"),
    Behaviour("a head of 20 KiB", _filled(20), why=_BUFFER),
    Behaviour("a head of 70 KiB", _filled(70), False),
    Behaviour(
        "150 headers",
        sized(*(b"X-%d: x" % number for number in range(150))),
        pattern="ok",
        why="HAProxy takes 101 headers (tune.http.maxhdr)",
    ),
    Behaviour("two lengths that differ", _TWO_LENGTHS, False),
    Behaviour("two lengths that differ", _TWO_LENGTHS, False, "ok"),
    Behaviour("two lengths that differ, on one line", answer(b"Content-Length: 2, 3"), False),
    Behaviour("a length twice", answer(b"Content-Length: 2", b"Content-Length: 2"), pattern="ok"),
    Behaviour("a length twice on one line", answer(b"Content-Length: 2, 2"), pattern="ok"),
    Behaviour("a length that is no number", answer(b"Content-Length: two"), False),
    Behaviour("a length with a sign", answer(b"Content-Length: +2"), False),
    Behaviour("a length over two lines", answer(b"Content-Length: 2\r\n 3"), False),
)
