"""A class of options becomes the options of a command, and what is given an instance of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs
import click
import pytest
from click.testing import CliRunner, Result

from maglev.api import option
from maglev.command_line import options_of, read


def _even(value: str | int) -> int:
    if int(value) % 2:
        raise ValueError(f"{value} is odd")
    return int(value)


def _both(tls: Any, _attribute: attrs.Attribute[Any], value: Path | None) -> None:
    if (value is None) != (tls.cert is None):
        raise ValueError("both or none")


@attrs.frozen
class Tls:
    cert: Path | None = option(None, help="Certificate", metavar="FILE")
    key: Path | None = option(None, help="Key", metavar="FILE", validator=_both)


@attrs.frozen
class Options:
    given: str
    server: str = option("localhost", help="Server", metavar="HOST")
    tls: Tls = attrs.field(factory=Tls)
    state_dir: Path | None = option(Path("/state"), help="Directory")
    level: Literal["low", "high"] = option("low", help="Level", aliases={"hi": "high"})
    loud: bool = option(False, help="Loud")
    once: bool = option(False, help="Once", variable="")
    color: bool | None = option(None, help="Colour")
    count: int = option("2", help="Count", converter=_even)
    number: int = option(1, help="Number")
    files: tuple[Path, ...] = option((Path("a"),), help="File", flag="file", variable="MAGLEV_FILES", multiple=True)
    unseen: int = 7


def run(*words: str, prefix: str = "", **environment: str) -> tuple[Result, Options | None]:
    found: list[Options] = []
    command = click.Command(
        "x",
        params=options_of(Options, prefix),
        callback=lambda **values: found.append(read(Options, values, given="given")),
    )
    result = CliRunner().invoke(command, words, env={f"MAGLEV_{name}": value for name, value in environment.items()})
    return result, found[0] if found else None


def options(*words: str, prefix: str = "", **environment: str) -> Options:
    result, found = run(*words, prefix=prefix, **environment)
    assert found is not None, result.output
    return found


def test_without_anything_the_defaults_hold() -> None:
    assert options() == Options("given")


def test_each_type_is_read() -> None:
    words = "--server a --cert c --key k --level HIGH --loud --once --no-color --count 4 --number 5 --file b --file c"
    assert options(*words.split()) == Options(
        "given", "a", Tls(Path("c"), Path("k")), Path("/state"), "high", True, True, False, 4, 5, (Path("b"), Path("c"))
    )


def test_the_environment_is_read_and_the_option_wins() -> None:
    found = options("--server", "a", SERVER="b", LOUD="true", FILES="x:y z", STATE_DIR="", LEVEL="high")
    assert (found.server, found.loud, found.level) == ("a", True, "high")
    assert found.files == (Path("x"), Path("y z"))
    assert found.state_dir is None


def test_a_choice_may_have_another_spelling() -> None:
    assert options("--level", "Hi").level == options(LEVEL="hi").level == "high"
    assert "[low|high]" in run("--help")[0].output


def test_a_commands_own_variables_go_before_those_that_it_shares() -> None:
    shared = {"SERVER": "shared", "LEVEL": "high", "CERT": "c", "KEY": "k", "STATE_DIR": "/shared"}
    own = {"OWN_SERVER": "own", "OWN_LEVEL": "low", "OWN_STATE_DIR": ""}
    found = options(prefix="MAGLEV_OWN_", **shared, **own)
    assert (found.server, found.level, found.state_dir) == ("own", "low", None)
    assert found.tls == Tls(Path("c"), Path("k"))
    assert options(prefix="MAGLEV_OWN_", **shared).server == "shared"
    assert options(**shared, **own).server == "shared"


def test_an_option_without_a_variable_has_none() -> None:
    assert not options(ONCE="true").once
    assert run("--no-once")[0].exit_code == 2


@pytest.mark.parametrize(
    "words, said",
    [
        ("--count 3", "'--count' (env var: 'MAGLEV_COUNT'): 3 is odd"),
        ("--cert c", "both or none"),
        ("--level x", "'high'"),
    ],
)
def test_what_is_wrong_is_said(words: str, said: str) -> None:
    result, found = run(*words.split())
    assert (result.exit_code, found) == (2, None)
    assert said in result.output


def test_help_names_variable_and_default() -> None:
    text = " ".join(run("--help")[0].output.split())
    assert "--server HOST Server [env var: MAGLEV_SERVER; default: localhost]" in text
    assert "--once Once --color" in text
    assert "unseen" not in text
