"""Passwords and certificates: who may read, and what a reload changes."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import anyio.to_thread
import pytest
import trustme

from maglev_prometheus.options import PrometheusOptions
from maglev_prometheus.secrets import read_secrets
from plugins.maglev_prometheus.tests.controller_setup import controlled, everything, serving


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def other_authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def paths(authority: trustme.CA, tmp_path: Path) -> dict[str, Path]:
    """A certificate and its key."""
    return issue(authority, tmp_path)


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    """A file with the password `first`."""
    file = tmp_path / "password"
    file.write_text("first\n")
    return file


@pytest.fixture
def known(authority: trustme.CA) -> ssl.SSLContext:
    """A client that trusts `authority`."""
    return trust(authority)


@pytest.fixture
def later(other_authority: trustme.CA) -> ssl.SSLContext:
    """A client that trusts `other_authority`."""
    return trust(other_authority)


def issue(authority: trustme.CA, folder: Path) -> dict[str, Path]:
    """A certificate for loopback, as the options want it."""
    issued = authority.issue_cert("127.0.0.1")
    paths = {"cert": folder / "tls.crt", "key": folder / "tls.key"}
    paths["cert"].write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    paths["key"].write_bytes(issued.private_key_pem.bytes())
    return paths


def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_metrics_need_the_password_and_the_other_pages_do_not() -> None:
    async with controlled() as control, serving(control, user="prometheus", password="s3:cret ä") as site:
        answer = await site.get()
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert (await site.get(authorization=basic("prometheus:s3:cret ä"))).status == 200
        assert (await site.get("/healthz")).status == 200


@pytest.mark.parametrize(
    "wrong",
    ["", "Basic", "Basic !!!", "Basic ä", "Bearer abc", basic("prometheus:other"), basic("other:secret"), basic("x")],
)
def test_anything_but_the_password_is_refused(wrong: str) -> None:
    credentials = read_secrets(PrometheusOptions(user="prometheus", password="secret")).credentials
    assert credentials is not None
    assert not credentials.match(wrong)
    assert credentials.match(basic("prometheus:secret"))
    assert credentials.match(basic("prometheus:secret").replace("Basic", "basic"))


def test_a_password_is_not_shown() -> None:
    assert "hidden" not in repr(read_secrets(PrometheusOptions(user="a", password="hidden")))


async def test_a_reload_takes_another_password_from_the_file(password_file: Path) -> None:
    async with controlled() as control, serving(control, user="p", password_file=password_file) as site:
        assert (await site.get(authorization=basic("p:first"))).status == 200
        await anyio.Path(password_file).write_text("second\n")
        await site.exporter.reload(site.exporter.options)
        assert (await site.get(authorization=basic("p:first"))).status == 401
        assert (await site.get(authorization=basic("p:second"))).status == 200


async def test_a_reload_that_cannot_be_read_changes_nothing(password_file: Path) -> None:
    async with controlled() as control, serving(control, user="p", password_file=password_file) as site:
        await anyio.Path(password_file).unlink()
        with pytest.raises(ValueError, match="No such file"):
            await site.exporter.reload(site.exporter.options)
        assert (await site.get(authorization=basic("p:first"))).status == 200


async def test_metrics_over_tls_and_a_certificate_that_is_replaced(
    paths: dict[str, Path], known: ssl.SSLContext, later: ssl.SSLContext, other_authority: trustme.CA, tmp_path: Path
) -> None:
    async with controlled() as control, serving(control, tls=known, **paths) as site:
        assert "maglev_vpp_connected" in await site.metrics()
        await anyio.to_thread.run_sync(issue, other_authority, tmp_path)
        await site.exporter.reload(site.exporter.options)
        with pytest.raises(ssl.SSLCertVerificationError):
            await site.metrics()
        site.tls = later
        assert "maglev_vpp_connected" in await site.metrics()


async def test_clear_text_gets_nothing_from_a_tls_server(paths: dict[str, Path], known: ssl.SSLContext) -> None:
    async with controlled() as control, serving(control, tls=known, **paths) as site:
        async with await anyio.connect_tcp("127.0.0.1", site.port) as stream:
            await stream.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"HTTP" not in await everything(stream)
        assert (await site.get("/healthz")).status == 200


async def test_two_hundred_handshakes_that_are_never_finished_keep_nobody_out(
    paths: dict[str, Path], known: ssl.SSLContext
) -> None:
    async with controlled() as control, serving(control, tls=known, **paths) as site:
        streams = [await anyio.connect_tcp("127.0.0.1", site.port) for _ in range(200)]
        assert (await site.get("/healthz")).status == 200
        for stream in streams:
            await anyio.aclose_forcefully(stream)


async def test_a_password_in_clear_text_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    async with controlled() as control, serving(control, addr=":0", user="p", password="secret") as site:
        (told,) = [getattr(record, "maglev_fields", {}) for record in caplog.records if record.message == "plain-text"]
        assert told["problem"] == (
            f"[::]:{site.port} is open to others in plain text: the password for metrics can be read on the way"
        )


async def test_what_only_this_host_reaches_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    async with controlled() as control, serving(control, user="p", password="secret"):
        assert "plain-text" not in caplog.text


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"addr": "9091"}, "not an address to listen on"),
        ({"addr": ":70000"}, "not an address to listen on"),
        ({"addr": "::1:9091"}, "not an address to listen on"),
        ({"addr": "host name:9091"}, "not an address to listen on"),
        ({"cert": Path("/x"), "key": None}, "or neither"),
        ({"user": "a:b", "password": "c"}, "no colon"),
        ({"user": "a"}, "needs a password"),
        ({"password": "a"}, "needs a user"),
        ({"password_file": Path("/x")}, "needs a user"),
        ({"user": "a", "password": "b", "password_file": Path("/x")}, "exclude each other"),
        ({"traces": "collector:4318"}, "is not a URL"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        PrometheusOptions(**options)  # type: ignore[arg-type]  # as parametrized


@pytest.mark.parametrize("addr", ["", ":9091", "192.0.2.1:9091", "[2001:db8::1]:9091", "localhost:0"])
def test_addresses_to_listen_on(addr: str) -> None:
    assert PrometheusOptions(addr=addr).addr == addr


@pytest.mark.parametrize("content, complaint", [(None, "No such file"), (b"\n", "contains no password")])
def test_a_password_file_that_is_none_is_named(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=f"password: .*{complaint}"):
        read_secrets(PrometheusOptions(user="a", password_file=file))


def test_files_that_are_no_certificate_are_named(paths: dict[str, Path], tmp_path: Path) -> None:
    paths["key"].write_text("no key")
    with pytest.raises(ValueError, match=r"tls.crt and .*tls.key are not a certificate and its key"):
        read_secrets(PrometheusOptions(cert=paths["cert"], key=paths["key"]))
    with pytest.raises(ValueError, match="No such file"):
        read_secrets(PrometheusOptions(cert=tmp_path / "absent", key=paths["key"]))
