"""Options that carry secrets say so, in every plugin; and no secret is in what the loader says."""

from __future__ import annotations

import io
import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, get_args

import attrs
import pytest

from maglev.api import AsyncChecker, ProbeResult, Target, option_info, secrets_of, shown_options
from maglev.cli.options import Invocation
from maglev.config import ConfigError, load_mapping
from maglev.config.fields import keys_of
from maglev.config.schema import Config, HealthCheckConfig
from maglev.library import installed
from maglev.logs import configure
from maglev.runtime.checkers import build_checkers
from maglev.runtime.logging import get_logger
from maglev.runtime.snapshots import healthcheck_snapshot
from maglev_grpc.security import Security
from maglev_prometheus.options import PrometheusOptions
from maglev_tester import options as maglevt_options
from maglev_web.options import Settings as WebSettings

_CARRIES = re.compile(
    r"(^|-)(pass(word|wd|phrase)?|pw|secret|token|auth\w*|credentials?|cookies?|headers?|(api-)?key|private|community"
    r"|send|payload|data|hex|body|path|query|proxy|url|uri|endpoint|dsn|traces|user-?info|login)($|-)"
)
_OPEN = {
    "maglevd-frontend credentials": "a class of its own, which does not print its password",
    "maglevt header": "the name of a header of answers",
}
_CANARY = "hunter2-canary"
_PLUGINS = installed()


def _classes() -> Iterator[tuple[str, type[Any]]]:
    kinds: tuple[Mapping[str, Any], ...] = (_PLUGINS.checkers, _PLUGINS.dataplanes, _PLUGINS.exporters)
    for kind in kinds:
        yield from ((name, cls.Options) for name, cls in sorted(kind.items()))
    yield from (("maglevd", Invocation), ("maglevc", Security), ("maglevd-frontend", WebSettings))
    yield "maglevt", maglevt_options.Options


def _names_a_file(name: str, field: attrs.Attribute[Any]) -> bool:
    is_path = field.type is Path or Path in get_args(field.type)
    return is_path or name.endswith("-file") or "PEM" in option_info(field).help


@pytest.mark.parametrize("name,cls", list(_classes()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_option_whose_name_promises_a_secret_is_marked(name: str, cls: type[Any]) -> None:
    for field in attrs.fields(attrs.resolve_types(cls)):
        key = field.name.replace("_", "-")
        if _CARRIES.search(key) and not _names_a_file(key, field) and f"{name} {key}" not in _OPEN:
            assert option_info(field).secret, f"{name}: {key} may carry a secret: mark it by option(secret=…)"


def _secret_options() -> Iterator[tuple[str, str]]:
    for name, cls in sorted(_PLUGINS.checkers.items()):
        yield from ((name, key.name) for key in keys_of(cls.Options) if key.info.secret)


def test_there_are_some() -> None:
    assert {("http", "headers"), ("https", "proxy"), ("http", "path"), ("tcp", "send")} <= set(_secret_options())


_WRONG: tuple[Any, ...] = (
    f"/?t={_CANARY}\x7f",
    f"/ ?t={_CANARY}é",
    f"http://u:{_CANARY}@no-address:3128",
    f"ftp://u:{_CANARY}@192.0.2.1:3128",
    f"http://u:{_CANARY}@[fe80::1]:3128",
    {"X": f"{_CANARY}\n"},
    {"X": f"{_CANARY}é"},
    {"Host": _CANARY},
    {"X-Fine": _CANARY, "X wrong": "a"},
    {"X": [_CANARY]},
    {"X": {_CANARY: _CANARY}},
    [_CANARY],
    [[_CANARY * 10]],
)
_WHOLLY: tuple[Any, ...] = (
    f"AUTH {_CANARY}\\q",
    f"AUTH \\{_CANARY}",
    f"AUTH {_CANARY}\u20ac",
    _CANARY * 10,
    {_CANARY: 1},
)


def _load(type_: str, params: dict[str, Any]) -> list[str]:
    check = {"type": type_, "params": params} | ({"port": 80} if _PLUGINS.checkers[type_].needs_port else {})
    data = {"maglev": {"healthchecks": {"web": check}}}
    try:
        return [str(problem) for problem in load_mapping(data, _PLUGINS).warnings]
    except ConfigError as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize("type_,name", list(_secret_options()))
def test_no_message_about_a_value_that_is_refused_repeats_the_secret(type_: str, name: str) -> None:
    key = next(key for key in keys_of(_PLUGINS.checkers[type_].Options) if key.name == name)
    wrong = _WRONG + (_WHOLLY if key.info.secret is True or name == "headers" else ())
    for value in wrong:
        for others in ({}, {"engine": "httpx"} if type_.startswith("http") else {"encoding": "latin-1"}):
            if name == "headers" and isinstance(value, dict) and _CANARY in value:
                continue  # the name of a header is none
            for problem in _load(type_, {name: value, **others}):
                assert "hunter2" not in problem, (value, problem)


@pytest.mark.parametrize(
    "type_,params",
    [
        (
            "http",
            {
                "path": f"/health?token={_CANARY}",
                "headers": {"Authorization": f"Bearer {_CANARY}", "Cookie": f"session={_CANARY}"},
                "engine": "httpx",
                "proxy": f"http://probe:{_CANARY}@192.0.2.3:3128",
            },
        ),
        ("tcp", {"send": f"AUTH {_CANARY}\r\n", "expect": "OK"}),
        ("tcp", {"send-hex": _CANARY.encode().hex(), "expect": "OK"}),
    ],
)
def test_nobody_sees_the_secrets_of_a_check(type_: str, params: dict[str, Any]) -> None:
    data = {"maglev": {"healthchecks": {"web": {"type": type_, "port": 80, "params": params}}}}
    config: Config = load_mapping(data, _PLUGINS).config
    check: HealthCheckConfig = config.healthchecks["web"]
    hidden = (_CANARY, _CANARY.encode().hex())
    for text in (str(dict(healthcheck_snapshot("web", check, config).params)), repr(config), repr(check.params)):
        assert not any(word in text for word in hidden), text
    assert list(secrets_of(check.params))
    shown = shown_options(check.params)
    if type_ == "http":
        assert shown["path"] == "/health?(secret)"
        assert shown["headers"] == {"Authorization": "(secret)", "Cookie": "(secret)"}
        assert shown["proxy"] == "http://(secret)@192.0.2.3:3128"


class _Forgetful(AsyncChecker):
    name: ClassVar[str] = "forgetful"
    Options: ClassVar[type[Any]] = PrometheusOptions
    needs_port: ClassVar[bool] = False

    def __init__(self, options: Any) -> None:
        raise RuntimeError(f"cannot use {options.password}")

    async def probe(self, target: Target) -> ProbeResult:
        raise NotImplementedError


def test_a_checker_that_can_no_longer_be_built_is_told_without_secrets() -> None:
    check = HealthCheckConfig("forgetful", params=PrometheusOptions(user="u", password=_CANARY))
    with pytest.raises(ConfigError, match="cannot use") as caught:
        build_checkers({"forgetful": _Forgetful}, {"web": check}, {}, {})
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_the_console_prints_no_local_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    stream, password = io.StringIO(), _CANARY
    output = configure("info", "console", stream)
    try:
        raise RuntimeError(f"{len(password)} characters")
    except RuntimeError:
        get_logger("maglev.test").exception("crashed")
    output.close(30.0)
    assert "14 characters" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_options_of_the_core_are_no_secrets() -> None:
    for cls in (HealthCheckConfig, Config):
        assert not any(option_info(field).secret for field in attrs.fields(cls))
