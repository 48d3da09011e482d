"""The manager finds plugins, takes what they bring, and survives whatever they do."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import attrs
import pytest

from maglev.api import Checker, Conversation, Dataplane, Exporter, StreamChecker, Target
from maglev.plugin import PluginManager, hookimpl


class Ping(StreamChecker):
    name = "ping"

    def conversations(self, target: Target) -> Callable[[], Conversation]:
        return Conversation


class Pong(Ping):
    name = "pong"


Plugins = Callable[..., list[EntryPoint]]


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """Return what makes entry points of functions that implement hooks."""

    def make(**hooks: Iterable[Callable[..., Any]] | None) -> list[EntryPoint]:
        points = []
        for name, functions in hooks.items():
            module = ModuleType(f"plugin_{name}")
            for function in functions or ():
                setattr(module, function.__name__, hookimpl(function))
            monkeypatch.setitem(sys.modules, module.__name__, module)
            points.append(EntryPoint(name, module.__name__, "maglev"))
        return points

    return make


def manager(points: list[EntryPoint], environ: Mapping[str, str] | None = None) -> PluginManager:
    return PluginManager(environ=environ or {}, entry_points=points)


def gives(*classes: Any) -> Callable[[], Any]:
    def maglev_checkers() -> Any:
        return classes

    return maglev_checkers


def test_what_plugins_bring_is_found_by_name(plugins: Plugins) -> None:
    found = manager(plugins(a=[gives(Ping)], b=[gives(Pong)]))
    assert found.checkers == {"ping": Ping, "pong": Pong}
    assert found.problems == ()
    assert [(info.plugin, info.origin, info.gives) for info in found.plugins] == [
        ("a", "plugin_a", (("checker", "ping"),)),
        ("b", "plugin_b", (("checker", "pong"),)),
    ]


def test_official_plugins_are_found_with_their_distribution() -> None:
    infos = {info.plugin: info for info in PluginManager(environ={}).plugins}
    assert infos["http"].distribution == "maglev-http"
    assert infos["http"].gives == (("checker", "http"), ("checker", "https"))
    assert infos["http"].label == f"http (maglev-http {infos['http'].version})"


def test_built_in_plugins_are_registered_through_the_same_hooks() -> None:
    module = ModuleType("maglev.things.plugin")
    module.maglev_checkers = hookimpl(gives(Ping))  # type: ignore[attr-defined]  # a module made by hand
    found = PluginManager([module], environ={"MAGLEV_LOAD_PLUGINS": ""}, entry_points=[])
    assert found.checkers == {"ping": Ping}
    assert found.plugins[0].label == "things (built-in)"


def test_a_plugin_may_be_an_object_with_methods() -> None:
    class Plugin:
        @hookimpl
        def maglev_checkers(self) -> Iterable[type[Checker]]:
            yield Ping

    assert PluginManager([Plugin()], environ={}, entry_points=[]).checkers == {"ping": Ping}


def test_nothing_may_be_handed_over(plugins: Plugins) -> None:
    def maglev_exporters() -> None:
        return None

    assert manager(plugins(a=[maglev_exporters])).problems == ()


def test_import_that_fails_is_reported_and_the_others_are_loaded(plugins: Plugins, tmp_path: Path) -> None:
    broken = EntryPoint("broken", "no_such_module_anywhere", "maglev")
    found = manager([broken, *plugins(z=[gives(Ping)])])
    assert found.checkers == {"ping": Ping}
    assert [str(problem) for problem in found.problems] == [
        "plugin broken: ModuleNotFoundError: No module named 'no_such_module_anywhere'"
    ]


@pytest.mark.parametrize(
    "source,message", [("raise SystemExit(3)", "SystemExit: 3"), ("x = (", "SyntaxError"), ("1/0", "ZeroDivisionError")]
)
def test_import_may_do_its_worst(source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "worst_plugin.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    found = manager([EntryPoint("worst", "worst_plugin", "maglev")])
    assert message in found.problems[0].message


def raising() -> Any:
    raise RuntimeError("boom")


def generator_that_raises_late() -> Iterator[type[Checker]]:
    yield Ping
    raise RuntimeError("boom")


async def coroutine() -> Iterable[type[Checker]]:
    return [Ping]


async def async_generator() -> AsyncIterator[type[Checker]]:
    yield Ping


class Nameless(Ping):
    name = ""


class Abstract(StreamChecker):
    name = "abstract"


class Optionless(Ping):
    Options = dict


class Unreadable(Ping):
    pass


@attrs.frozen
class UnreadableOptions:
    field: NoSuchType = attrs.field()  # type: ignore[name-defined]  # noqa: F821  (what is tested)


Unreadable.Options = UnreadableOptions


@pytest.mark.parametrize(
    "function,message",
    [
        (raising, "maglev_checkers failed: RuntimeError: boom"),
        (generator_that_raises_late, "maglev_checkers failed: RuntimeError: boom"),
        (coroutine, "implements maglev_checkers with `async def`: hooks only hand over classes"),
        (async_generator, "implements maglev_checkers with `async def`: hooks only hand over classes"),
        (lambda: 5, "maglev_checkers failed: TypeError"),
        (lambda: [5], "returned 5, which is not a subclass of Checker"),
        (lambda: [Dataplane], "Dataplane'>, which is not a subclass of Checker"),
        (lambda: [Ping(None)], "object at"),
        (lambda: [Nameless], "which has no `name`"),
        (lambda: [Abstract], "which does not implement conversations"),
        (lambda: [Optionless], "whose `Options` is not an attrs class"),
        (lambda: [Unreadable], "whose `Options` cannot be read at run time: name 'NoSuchType' is not defined"),
    ],
)
def test_bad_implementation_is_refused_and_the_others_are_kept(
    plugins: Plugins, function: Callable[[], Any], message: str
) -> None:
    function.__name__ = "maglev_checkers"
    found = manager(plugins(bad=[function], good=[gives(Pong)]))
    assert found.checkers == {"pong": Pong}
    assert [info.plugin for info in found.plugins] == ["good"]
    assert [problem.plugin for problem in found.problems] == ["bad"]
    assert message in found.problems[0].message


def test_hook_that_does_not_exist_is_refused(plugins: Plugins) -> None:
    def maglev_chekers() -> None: ...

    assert "implements the hook maglev_chekers, which does not exist; hooks: maglev_checkers" in str(
        manager(plugins(a=[maglev_chekers])).problems[0]
    )


def test_hook_with_arguments_is_refused(plugins: Plugins) -> None:
    def maglev_checkers(config: object) -> None: ...

    assert "config" in str(manager(plugins(a=[maglev_checkers])).problems[0])


def test_wrapper_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    @hookimpl(wrapper=True)
    def maglev_checkers() -> Iterator[None]:
        return (yield)

    plugin = SimpleNamespace(maglev_checkers=maglev_checkers)
    assert "as a wrapper" in str(PluginManager([plugin], environ={}, entry_points=[]).problems[0])


def test_plugin_without_hooks_is_refused(plugins: Plugins) -> None:
    assert "implements no hook; are its functions marked with `@hookimpl`?" in str(manager(plugins(a=None)).problems[0])


def test_two_plugins_with_one_name_are_refused_naming_both(plugins: Plugins) -> None:
    found = manager(plugins(a=[gives(Ping, Pong)], b=[gives(type("Ping", (Ping,), {}))], c=[gives(Ping)]))
    assert found.checkers == {"pong": Pong}
    assert [(problem.plugin, problem.message) for problem in found.problems] == [
        ("a", "checker 'ping' is given by a and by b: neither is used, remove one"),
        ("b", "checker 'ping' is given by a and by b: neither is used, remove one"),
        ("c", "checker 'ping' is given by a and by c: neither is used, remove one"),
    ]
    assert [info.gives for info in found.plugins] == [(("checker", "pong"),), (), ()]


def test_one_name_may_serve_for_different_kinds(plugins: Plugins) -> None:
    class Feed(Exporter):
        name = "ping"

        async def serve(self, control: object, ready: Callable[[], None]) -> None:
            ready()

    def maglev_exporters() -> list[type[Exporter]]:
        return [Feed]

    found = manager(plugins(a=[gives(Ping), maglev_exporters]))
    assert found.problems == ()
    assert found.plugins[0].gives == (("checker", "ping"), ("exporter", "ping"))


@pytest.mark.parametrize("value,names", [("", []), ("a", ["ping"]), (" b , a ", ["ping", "pong"]), ("b,", ["pong"])])
def test_only_the_wanted_plugins_are_loaded(plugins: Plugins, value: str, names: list[str]) -> None:
    found = manager(plugins(a=[gives(Ping)], b=[gives(Pong)]), {"MAGLEV_LOAD_PLUGINS": value})
    assert sorted(found.checkers) == names
    assert found.problems == ()


def test_plugins_may_be_wanted_by_distribution() -> None:
    found = PluginManager(environ={"MAGLEV_LOAD_PLUGINS": "maglev-icmp,tcp"})
    assert sorted(found.checkers) == ["icmp", "tcp"]


def test_wanted_plugin_that_is_not_there_is_reported(plugins: Plugins) -> None:
    found = manager(plugins(a=[gives(Ping)]), {"MAGLEV_LOAD_PLUGINS": "a,z"})
    assert [str(problem) for problem in found.problems] == ["plugin z: named in MAGLEV_LOAD_PLUGINS, but not installed"]


def test_hook_calls_are_traced_on_demand(plugins: Plugins, capsys: pytest.CaptureFixture[str]) -> None:
    points = plugins(a=[gives(Ping)], b=None)
    manager(points)
    assert capsys.readouterr().err == ""
    manager(points, {"MAGLEV_TRACE_PLUGINS": "1"})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "maglev plugins: maglev_checkers() of a: ping"
    assert lines[1].startswith("maglev plugins: b refused: implements no hook")
