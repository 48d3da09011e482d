"""The options of `http` and `https` are checked before anything is probed."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from maglev.api import AsyncChecker, StreamChecker, Target
from maglev_http.checkers import HttpChecker, HttpsChecker
from maglev_http.codes import parse_codes
from maglev_http.options import HttpOptions, HttpsOptions


@pytest.mark.parametrize(
    "text,codes",
    [
        (200, {200}),
        ("200", {200}),
        ("200-202,304", {200, 201, 202, 304}),
        (" 200 - 201 , 204", {200, 201, 204}),
        ("999", {999}),
    ],
)
def test_codes_are_read(text: int | str, codes: set[int]) -> None:
    assert parse_codes(text) == codes


@pytest.mark.parametrize("text", ["", "20", "2000", "300-200", "200-", "200,,201", "2xx", 99, "099", "-200"])
def test_what_is_no_code_is_refused(text: int | str) -> None:
    with pytest.raises(ValueError, match="not a status code or range"):
        HttpOptions(response_code=text)


@given(st.text(max_size=20))
def test_any_text_is_codes_or_a_value_error(text: str) -> None:
    try:
        assert parse_codes(text) <= set(range(100, 1000))
    except ValueError as error:
        assert "200-299,304" in str(error)  # noqa: PT017  (both outcomes are right)


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "no-slash"},
        {"path": "/a b"},
        {"path": "/a\r\nX: y"},
        {"path": "/grüße"},
        {"host": "a\r\nX: y"},
        {"host": "a b"},
        {"host": "a.example:http"},
        {"method": "GET / HTTP/1.1\r\n"},
        {"method": ""},
        {"method": "CONNECT"},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X": "a\nb"}},
        {"headers": {"X\r\nY": "a"}},
        {"headers": {"": "a"}},
        {"headers": {"X": "a\0"}},
        {"headers": {"Host": "a.example"}},
        {"headers": {"content-length": "7"}},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"max_redirects": 0},
    ],
    ids=str,
)
def test_what_would_break_the_request_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cannot be|out of range"):
        HttpOptions(**wrong)


@pytest.mark.parametrize("wrong", [{"follow_redirects": True}, {"proxy": "http://192.0.2.1:3128"}, {"http2": True}])
def test_what_only_httpx_can_do_is_refused_without_it(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs engine: httpx"):
        HttpChecker.build(HttpOptions(**wrong))
    assert isinstance(HttpChecker.build(HttpOptions(engine="httpx", **wrong)), AsyncChecker)


@pytest.mark.parametrize("checker,options", [(HttpChecker, HttpOptions), (HttpsChecker, HttpsOptions)])
def test_the_engine_decides_the_shape_and_not_the_name(checker: type[HttpChecker], options: type[HttpOptions]) -> None:
    lean, rich = checker.build(options()), checker.build(options(engine="httpx"))
    assert isinstance(lean, StreamChecker)
    assert isinstance(rich, AsyncChecker)
    assert lean.name == rich.name == checker.name


@pytest.mark.parametrize("engine", ["lean", "httpx"])
def test_pattern_that_is_not_re2_is_refused(engine: Any) -> None:
    with pytest.raises(ValueError, match="is not an RE2 pattern: missing"):
        HttpChecker.build(HttpOptions(response_regexp="(", engine=engine))


@pytest.mark.parametrize("pattern", ["x.{500}y", r"(\w{1,30}x){1,30}y", r"\p{L}{3,20}ok", "x[ax]{250}y"])
def test_pattern_that_could_hold_up_other_probes_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"would hold up other probes: it has \d+ steps, at most 200"):
        HttpChecker.build(HttpOptions(response_regexp=pattern))


@pytest.mark.parametrize(
    "pattern",
    [
        "(a*)*b",
        r"^(\d{1,3}\.){3}\d{1,3}$",
        '"status" *: *"(up|ok)"',
        "(?i)healthy|alive",
        "[0-9a-f]{8}(-[0-9a-f]{4}){3}",
    ],
)
def test_pattern_of_ordinary_size_is_not(pattern: str) -> None:
    HttpChecker.build(HttpOptions(response_regexp=pattern))


@pytest.mark.parametrize(
    "proxy",
    [
        "http://proxy.example:3128",
        "socks5://192.0.2.1",
        "https://192.0.2.1",
        "::",
        "192.0.2.1",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://127.0.0.1:3128/path",
        "http://[fe80::1]",
        "http://[fe80::1%25eth0]",
    ],
)
def test_proxy_that_cannot_be_used_is_refused(proxy: str) -> None:
    with pytest.raises(ValueError, match="cannot be used"):
        HttpChecker.build(HttpOptions(engine="httpx", proxy=proxy))


def test_alpn_that_the_engine_cannot_speak_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lean engine speaks http/1\.1 only"):
        HttpsChecker.build(HttpsOptions(alpn=("h2",)))
    with pytest.raises(ValueError, match="alpn with engine: httpx"):
        HttpsChecker.build(HttpsOptions(alpn=("h2",), engine="httpx"))


@pytest.mark.parametrize(
    "wrong,words",
    [
        ({"ca_file": "/nowhere.pem"}, "ca-file /nowhere.pem cannot be used: No such file"),
        ({"certificate": "/nowhere.pem"}, "certificate and key in /nowhere.pem cannot be used: No such file"),
        ({"key": "/nowhere.pem"}, "key without certificate"),
    ],
)
def test_files_that_cannot_be_used_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        HttpsChecker.build(HttpsOptions(**wrong))


def test_encrypted_key_is_refused_and_not_asked_for_at_the_terminal(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("client.example")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    private = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ValueError, match="the key is encrypted"):
        HttpsChecker.build(HttpsOptions(certificate=str(certificate), key=str(key)))


@pytest.mark.parametrize(
    "checker,options,words",
    [
        (HttpsChecker, HttpsOptions(), "without host or server-name"),
        (HttpsChecker, HttpsOptions(host="a.example", insecure_skip_verify=True, ca_file="x"), "ca-file does nothing"),
        (HttpChecker, HttpOptions(method="HEAD", response_regexp="x"), "there is no body"),
        (HttpChecker, HttpOptions(method="get"), "capitals"),
    ],
    ids=["sni", "ca-file", "head", "case"],
)
def test_suspicious_options_are_warned_about(checker: type[HttpChecker], options: HttpOptions, words: str) -> None:
    (line,) = checker.advice(options)
    assert words in line


def test_sound_options_are_not_warned_about() -> None:
    assert HttpChecker.advice(HttpOptions()) == ()
    assert HttpsChecker.advice(HttpsOptions(host="a.example")) == ()
    assert HttpsChecker.advice(HttpsOptions(server_name="a.example")) == ()


@pytest.mark.parametrize("host", ["xn--a", "xn--n3h.example", "XN--A.example:80"])
def test_host_that_httpx_cannot_read_is_refused_with_that_engine(host: str) -> None:
    HttpChecker.build(HttpOptions(host=host))
    with pytest.raises(ValueError, match="cannot be used with engine: httpx"):
        HttpChecker.build(HttpOptions(host=host, engine="httpx"))


@pytest.mark.parametrize(
    "host", ["", "a.example", "a_b.example.", "[::1]:80", "::1", "192.0.2.1:80", "xn--9ca.example"]
)
def test_host_that_it_can_is_not(host: str) -> None:
    HttpChecker.build(HttpOptions(host=host, engine="httpx"))


def test_dot_at_the_end_of_a_name_is_asked_for_and_not_sent_by_tls() -> None:
    checker = HttpsChecker(HttpsOptions(host="a.example.:443", insecure_skip_verify=True))
    tls = checker.tls(Target("a", ip_address("192.0.2.1"), 443))
    assert tls is not None
    assert tls.server_name == "a.example"
