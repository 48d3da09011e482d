"""The command line and the environment of `maglevd-frontend`."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from maglev_web import command as module
from maglev_web.options import Settings, read_credentials, read_proxies, read_servers


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What would have been served."""
    seen: list[Settings] = []
    monkeypatch.setattr("maglev_web.command.anyio.run", lambda _serve, settings: seen.append(settings))
    return seen


def run(*arguments: str, **environment: str) -> Any:
    return CliRunner().invoke(module.command(), list(arguments), env=environment)


def test_by_default_only_this_host_is_served(started: list[Settings]) -> None:
    assert run().exit_code == 0
    (settings,) = started
    assert (settings.servers, settings.listen) == (("localhost:9090",), "127.0.0.1:8080")
    assert settings.credentials is None


def test_options_may_have_one_dash_and_come_from_the_environment(started: list[Settings]) -> None:
    result = run(
        "-listen", "127.0.0.1:1", MAGLEV_SERVERS="a:1,b:2", MAGLEV_FRONTEND_USER="u", MAGLEV_FRONTEND_PASSWORD="p"
    )
    assert result.exit_code == 0
    (settings,) = started
    assert (settings.servers, settings.listen) == (("a:1", "b:2"), "127.0.0.1:1")
    assert settings.credentials is not None
    assert "p'" not in repr(settings.credentials)


@pytest.mark.parametrize(
    "arguments, environment, said",
    [
        (["--listen", "8080"], {}, "not an address to listen on"),
        (["--server", "a b"], {}, "not a server"),
        (["--server", "a,a:9090"], {}, "twice"),
        (["--tls-cert", "x"], {}, "or neither"),
        (["--cert", "x"], {}, "or neither"),
        (["--trusted-proxies", "everybody"], {}, "everybody"),
        (["--allowed-host", "https://a.example"], {}, "not a host name"),
        ([], {"MAGLEV_FRONTEND_USER": "u"}, "or neither"),
        ([], {"MAGLEV_FRONTEND_USER": "u:v", "MAGLEV_FRONTEND_PASSWORD": "p"}, "colon"),
    ],
)
def test_what_makes_no_sense_is_named(
    started: list[Settings], arguments: list[str], environment: dict[str, str], said: str
) -> None:
    result = run(*arguments, **environment)
    assert result.exit_code == 2
    assert said in result.output
    assert not started


def test_allowed_hosts_are_listed_or_named_one_by_one(started: list[Settings]) -> None:
    assert run("--allowed-host", "a.example", "--allowed-host", "b.example").exit_code == 0
    assert run(MAGLEV_ALLOWED_HOSTS="a.example, b.example").exit_code == 0
    assert run().exit_code == 0
    assert [one.allowed_hosts for one in started] == [("a.example", "b.example")] * 2 + [()]


def test_in_a_shared_environment_file_its_own_variables_go_first(started: list[Settings]) -> None:
    shared = {"MAGLEV_SERVERS": "a:1", "MAGLEV_LISTEN": "127.0.0.1:1", "MAGLEV_LOG_LEVEL": "error"}
    own = {
        "MAGLEV_FRONTEND_SERVER": "b:2,c:3",
        "MAGLEV_FRONTEND_LISTEN": "127.0.0.1:2",
        "MAGLEV_FRONTEND_LOG_LEVEL": "warn",
    }
    assert run(**shared).exit_code == 0
    assert run(**shared, **own).exit_code == 0
    assert [(one.servers, one.listen, one.log_level) for one in started] == [
        (("a:1",), "127.0.0.1:1", "error"),
        (("b:2", "c:3"), "127.0.0.1:2", "warning"),
    ]


def test_every_option_has_its_environment_variable() -> None:
    named = [one for one in module.command().params if getattr(one, "envvar", None)]
    assert {one.name for one in named} == {one.name for one in module.command().params} - {"completion", "version"}


def test_lists_are_read() -> None:
    assert read_servers("a, b:1") == ("a", "b:1")
    assert read_proxies("10.0.0.0/8, 2001:db8::1") == ("10.0.0.0/8", "2001:db8::1/128")
    assert read_credentials({}) is None
