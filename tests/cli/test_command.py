"""The command line: options, environment, subcommands and their exit statuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from pathlib import Path

import attrs
import click
import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result

from maglev.api import Control, Dataplane, Exporter, option
from maglev.build import this_build
from maglev.cli.command import command
from maglev.cli.options import Invocation
from maglev.config import load
from maglev.dataplanes.memory import MemoryDataplane
from maglev.library import installed
from maglev.plugin import PluginManager, hookimpl

EXAMPLE = Path(__file__).parents[2] / "examples" / "loopback.yaml"


@attrs.frozen
class PagerOptions:
    addr: str = option(":7000", help="Where it listens", flag="pager-addr")
    loud: bool = option(True, help="Whether it shouts", flag="pager-loud")
    level: int = option(1, help="How much", flag="config")
    token: str = option("hush", help="What it asks for", flag="pager-token", secret=True)


class Pager(Exporter):
    """An exporter with flags, one of which the daemon has already."""

    name = "pager"
    Options = PagerOptions

    async def serve(self, control: Control, ready: Callable[[], None]) -> None:
        ready()


class Plugin:
    @hookimpl
    def maglev_dataplanes(self) -> Iterable[type[Dataplane]]:
        return (MemoryDataplane,)

    @hookimpl
    def maglev_exporters(self) -> Iterable[type[Exporter]]:
        return (Pager,)


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    return PluginManager((Plugin(),), entry_points=(), environ={})


def run(plugins: PluginManager, *words: object, env: dict[str, str | None] | None = None) -> Result:
    return CliRunner().invoke(command(plugins), [str(word) for word in words], env=env or {})


def invocation(plugins: PluginManager, *words: str) -> Invocation:
    """What a command line comes to, without running anything."""
    group = command(plugins)
    context = group.make_context("maglevd", list(words))
    return Invocation.parsed(plugins, context.params)


def test_without_options_it_is_the_service_of_the_package(plugins: PluginManager) -> None:
    asked = invocation(plugins)
    assert str(asked.config) == "/etc/vpp-maglev/maglev.yaml"
    assert str(asked.state_dir) == "/var/lib/vpp-maglev"
    assert (asked.log_level, asked.log_format, asked.observe, asked.uvloop) == ("info", None, False, False)
    assert asked.flag_values == {}


@pytest.mark.parametrize("dash", ["-", "--"])
def test_every_option_may_have_one_dash_or_two(plugins: PluginManager, dash: str) -> None:
    words = "config=a.yaml log-level=debug log-format=console state-dir= observe uvloop=false pager-addr=:1"
    asked = invocation(plugins, *(dash + word for word in words.split()))
    assert (str(asked.config), asked.log_level, asked.log_format) == ("a.yaml", "debug", "console")
    assert (asked.state_dir, asked.observe, asked.uvloop) == (None, True, False)
    assert asked.flag_values[("exporter", "pager")]["addr"].value == ":1"


def test_every_option_has_its_environment_variable(plugins: PluginManager, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "CONFIG": "a.yaml",
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json",
        "STATE_DIR": "",
        "OBSERVE": "true",
        "UVLOOP": "true",
        "PAGER_LOUD": "no",
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"MAGLEV_{name}", value)
    asked = invocation(plugins)
    assert (str(asked.config), asked.log_level, asked.log_format) == ("a.yaml", "debug", "json")
    assert (asked.state_dir, asked.observe, asked.uvloop) == (None, True, True)
    assert asked.flag_values[("exporter", "pager")]["loud"].source == "MAGLEV_PAGER_LOUD"
    flagged = invocation(plugins, "-config", "b.yaml", "-observe=false", "-state-dir", "/state", "--no-uvloop")
    assert (str(flagged.config), str(flagged.state_dir)) == ("b.yaml", "/state")
    assert (flagged.observe, flagged.uvloop) == (False, False)


def test_the_environment_beats_the_file_and_a_flag_beats_both(
    plugins: PluginManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "maglev.yaml"
    file.write_text("maglev: {exporters: {pager: {addr: ':1', loud: false}}}")

    def pager(*words: str) -> PagerOptions:
        asked = invocation(plugins, *words)
        options = load(file, plugins, flag_values=asked.flag_values).config.exporters["pager"]
        assert isinstance(options, PagerOptions)
        return options

    assert (pager().addr, pager().loud) == (":1", False)
    monkeypatch.setenv("MAGLEV_PAGER_ADDR", ":2")
    monkeypatch.setenv("MAGLEV_PAGER_LOUD", "true")
    assert (pager().addr, pager().loud) == (":2", True)
    assert pager("-pager-addr=:3", "-pager-loud=false") == attrs.evolve(PagerOptions(), addr=":3", loud=False)
    monkeypatch.setenv("MAGLEV_PAGER_ADDR", "")
    assert pager().addr == ""


def test_a_wrong_value_of_a_plugins_flag_is_named_by_its_flag(plugins: PluginManager, tmp_path: Path) -> None:
    file = tmp_path / "maglev.yaml"
    file.write_text("maglev: {}")
    result = run(plugins, "--config", file, "--check", env={"MAGLEV_PAGER_LOUD": "perhaps"})
    assert result.exit_code == 1
    assert "MAGLEV_PAGER_LOUD" in result.output
    assert "perhaps" in result.output


def test_a_plugin_cannot_take_an_option_of_the_daemon(plugins: PluginManager) -> None:
    group = command(plugins)
    names = [name for parameter in group.params for name in parameter.opts]
    assert len(names) == len(set(names))
    assert str(invocation(plugins, "--config", "7").config) == "7"


def test_help_shows_flags_with_variable_and_default_but_no_secret(plugins: PluginManager) -> None:
    text = " ".join(run(plugins, "--help").output.split())
    assert "--pager-addr VALUE pager: Where it listens [env var: MAGLEV_PAGER_ADDR; default: :7000]" in text
    assert "--pager-loud / --no-pager-loud" in text
    assert "hush" not in text


def test_version_names_version_commit_and_date(plugins: PluginManager) -> None:
    build = this_build()
    for word in ("--version", "-version"):
        assert run(plugins, word).output == f"maglevd {build.version} (commit {build.commit}, {build.date})\n"


def test_check_says_what_memory_vpp_needs(tmp_path: Path) -> None:
    file = tmp_path / "maglev.yaml"
    file.write_text("maglev: {vpp: {lb: {ipv4-src-address: 192.0.2.1, ipv6-src-address: '2001:db8::1'}}}")
    assert "4 MiB for the established flows of each worker" in run(installed(), "check", file).output


@pytest.mark.parametrize(
    "text, status, words",
    [
        (None, 0, "valid: 1 frontends, 3 backends"),
        ("maglev: [", 1, "not YAML"),
        ("maglev: {backens: {}}", 1, "backends"),
        ("maglev: {backends: {a: {address: 192.0.2.1, healthcheck: x}}}", 2, "maglev.backends.a.healthcheck"),
    ],
    ids=["valid", "no YAML", "type error", "semantic error"],
)
def test_check_has_an_exit_status_for_each_kind_of_trouble(
    tmp_path: Path, text: str | None, status: int, words: str
) -> None:
    file = tmp_path / "maglev.yaml"
    file.write_text(EXAMPLE.read_text() if text is None else text)
    everything = installed()
    for line in (
        ["--config", file, "--check"],
        ["-config", file, "check"],
        ["check", file],
        ["-check", "-config", file],
    ):
        result = run(everything, *line)
        assert result.exit_code == status, result.output
        assert words in result.output


def test_check_names_all_problems_at_once(plugins: PluginManager, tmp_path: Path) -> None:
    file = tmp_path / "maglev.yaml"
    file.write_text("maglev:\n  nonsense: 1\n  backends: {a: {address: here}}\n  frontends: {f: {}}\n")
    result = run(plugins, "check", file)
    assert result.exit_code == 1
    for place in ("maglev.nonsense", "maglev.backends.a.address", "maglev.frontends.f"):
        assert place in result.output


def test_check_shows_warnings_and_passes(tmp_path: Path) -> None:
    file = tmp_path / "maglev.yaml"
    file.write_text("maglev: {backends: {idle: {address: 192.0.2.1}}}")
    result = run(installed(), "check", file)
    assert result.exit_code == 0
    assert "idle" in result.output
    assert "(warning)" in result.output


def test_a_file_that_is_not_there_is_a_problem_like_any_other(plugins: PluginManager, tmp_path: Path) -> None:
    result = run(plugins, "check", tmp_path / "no.yaml")
    assert result.exit_code == 1
    assert "no.yaml: cannot be read: No such file or directory" in result.output


def test_plugins_are_listed_with_what_they_give(plugins: PluginManager) -> None:
    result = run(plugins, "plugins")
    header, row = result.output.splitlines()
    assert header.split() == ["NAME", "VERSION", "GIVES", "FROM"]
    assert "dataplane memory, exporter pager" in row
    assert result.exit_code == 0


def test_a_plugin_that_cannot_be_loaded_is_named_with_the_reason() -> None:
    broken = EntryPoint("broken", "maglev_of_nobody.plugin", "maglev")
    result = run(PluginManager((Plugin(),), entry_points=(broken,), environ={}), "plugins")
    assert result.exit_code == 1
    assert "problem: plugin broken: ModuleNotFoundError: No module named 'maglev_of_nobody'" in result.output


def test_the_schema_accepts_the_example_and_refuses_a_typing_error() -> None:
    schema = json.loads(run(installed(), "schema").output)
    example = yaml.safe_load(EXAMPLE.read_text())
    jsonschema.validate(example, schema)
    example["maglev"]["backend"] = example["maglev"].pop("backends")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(example, schema)


def test_an_unknown_option_is_a_usage_error(plugins: PluginManager) -> None:
    result = run(plugins, "--confg", "x")
    assert result.exit_code == click.UsageError.exit_code
    assert "--config" in result.output


def test_uvloop_that_is_not_there_is_said_and_nothing_starts(
    plugins: PluginManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maglev.cli.daemon.find_spec", lambda _name: None)
    result = run(plugins, "--uvloop")
    assert result.exit_code == 1
    assert "uvloop is not installed" in result.output


def test_a_demonstration_without_the_http_checker_says_what_to_install(plugins: PluginManager) -> None:
    result = run(plugins, "demo", "--once")
    assert result.exit_code == 1
    assert "maglevd[http]" in result.output
