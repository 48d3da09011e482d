"""The command line: what is refused, what is printed, with which exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from maglev.command_line import options_of
from maglev_tester.command import command
from maglev_tester.options import Options
from plugins.maglev_tester.tests.conftest import ServerMaker, answering, configuration

OK = b"HTTP/1.1 200 OK\r\nX-IPng-Frontend: nginx0\r\nContent-Length: 0\r\n\r\n"


def run(*arguments: str, environ: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(command(), arguments, env=environ)


def test_missing_file_is_named() -> None:
    result = run("--config", "/no/such/file.yaml", "--once", "1")
    assert result.exit_code == 2
    assert "/no/such/file.yaml: cannot be read: No such file or directory" in result.stderr


def test_wrong_configuration_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("maglev:\n  frontends:\n    web: {address: nowhere, pools: []}\n")
    result = run("--config", str(path), "--once", "1")
    assert result.exit_code == 2
    assert f"{path}:3:" in result.stderr


def test_no_vip_left_after_the_filter(tmp_path: Path) -> None:
    result = run("--config", configuration(tmp_path, 80), "--filter", "nothing", "--once", "1")
    assert result.exit_code == 2
    assert "there is no VIP to probe" in result.stderr
    assert "'nothing'" in result.stderr


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--interval", "1ms"), "10ms to 24h is allowed"),
        (("--interval", "soon"), "is not a duration"),
        (("--filter", "["), "is not a regular expression"),
        (("--once", "0"), "0 is not in the range"),
        (("--min-ok", "101"), "from 0 to 100"),
        (("--min-ok", "nan"), "from 0 to 100"),
        (("--uri", "healthz"), "cannot be sent"),
        (("--uri", "/a b"), "cannot be sent"),
        (("--host", "a\r\nX: y"), "cannot be sent"),
        (("--header", "X Y"), "cannot be sent"),
        (("--output", "xml"), "'xml' is not one of"),
    ],
)
def test_wrong_option_says_what_is_allowed(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_without_a_terminal_it_has_to_know_when_to_end(tmp_path: Path) -> None:
    result = run("--config", configuration(tmp_path, 80))
    assert result.exit_code == 2
    assert "Give --once or --duration" in result.stderr


@pytest.mark.parametrize("dashes", ["-", "--"])
def test_once_prints_json_and_the_exit_status_follows_min_ok(
    tmp_path: Path, serve: ServerMaker, free_port: int, dashes: str
) -> None:
    good, dead = serve(answering(OK)).port, free_port
    path = configuration(tmp_path, good, dead)
    fast = (f"{dashes}config={path}", f"{dashes}once", "3", f"{dashes}interval=10ms", f"{dashes}output=json")
    result = run(*fast, f"{dashes}min-ok=100")
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["below_min_ok"] == ["vip1"]
    assert [(vip["count"], vip["failed"], vip["kind"]) for vip in told["vips"]] == [(3, 0, "http"), (3, 3, "tcp")]
    assert [(entry["who"], entry["count"]) for entry in told["vips"][0]["tally"]] == [("nginx0", 3)]
    assert run(*fast).exit_code == 0
    assert run(*fast, f"{dashes}min-ok=100", f"{dashes}filter=vip0").exit_code == 0


def test_environment_gives_options_and_flags_win(tmp_path: Path, serve: ServerMaker) -> None:
    port = serve(answering(OK)).port
    one = configuration(tmp_path, port, name="one.yaml")
    two = configuration(tmp_path, port, port + 1 if port < 65_535 else 1, name="two.yaml")
    environ = {"MAGLEV_CONFIG": f"{one}:{two}", "MAGLEV_ONCE": "1", "MAGLEV_OUTPUT": "json", "MAGLEV_MIN_OK": "0"}
    assert len(json.loads(run(environ=environ).stdout)["vips"]) == 2
    assert len(json.loads(run("--config", one, environ=environ).stdout)["vips"]) == 1


def test_duration_ends_a_run_in_text(tmp_path: Path, serve: ServerMaker) -> None:
    result = run("--config", configuration(tmp_path, serve(answering(OK)).port), "--duration", "200ms")
    assert result.exit_code == 0
    assert result.stdout.startswith("maglevt on ")
    assert "Who answered:\n  vip0: nginx0" in result.stdout


def test_every_option_has_an_environment_variable_and_help() -> None:
    for option in options_of(Options):
        assert isinstance(option, click.Option)
        assert option.help
        flag = option.opts[0].removeprefix("--")
        assert option.envvar == f"MAGLEV_{flag.upper().replace('-', '_')}"


@pytest.mark.parametrize("text, seconds", [("5", 5), ("0.5", 0.5), ("250ms", 0.25)])
def test_durations_may_be_numbers_of_seconds(text: str, seconds: float) -> None:
    option = next(option for option in options_of(Options) if option.name == "interval")
    assert option.type.convert(text, None, None).total_seconds() == seconds


def test_version_and_help_load_neither_httpx_nor_textual() -> None:
    code = (
        "import sys\n"
        "from maglev_tester.command import command\n"
        "command().main(['--help'], standalone_mode=False)\n"
        "sys.exit(sorted({'httpx', 'textual', 'h11'} & sys.modules.keys()) or 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert run("--version").stdout.startswith("maglevt 0.")
