"""One dash or two: both spellings of an option mean the same."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from maglev.single_dash import EmptyEnvvarOption, SingleDashGroup, normalise

OPTIONS = (
    click.Option(["--config"]),
    click.Option(["--server", "-s"]),
    click.Option(["--color/--no-color"]),
    click.Option(["--check"], is_flag=True),
    click.Option(["--pair"], nargs=2),
)


@pytest.mark.parametrize(
    "given_words, wanted",
    [
        ("-config x", "--config x"),
        ("-config=x", "--config=x"),
        ("--config x", "--config x"),
        ("-color", "--color"),
        ("-color=false", "--no-color"),
        ("--color=false", "--no-color"),
        ("--no-color=false", "--color"),
        ("-color=T", "--color"),
        ("-color=0", "--no-color"),
        ("-check=true", "--check"),
        ("-check=false", ""),
        ("-color=maybe", "--color=maybe"),
        ("-s x -config y", "-s x --config y"),
        ("-config -server", "--config -server"),
        ("-pair -config -server -config x", "--pair -config -server --config x"),
        ("-unknown -config x", "-unknown --config x"),
        ("word -config x", "word --config x"),
        ("set s pause -config x", "set s pause --config x"),
        ("s=x -config y", "s=x --config y"),
        ("-- -config x", "-- -config x"),
        ("- -config x", "- --config x"),
    ],
)
def test_one_dash_becomes_two(given_words: str, wanted: str) -> None:
    assert normalise(given_words.split(), OPTIONS) == wanted.split()


@given(st.lists(st.sampled_from(["s", "s=x", "config", "config=x", "color=false", "", "=", "word"])))
def test_a_word_without_a_dash_is_never_an_option(words: list[str]) -> None:
    assert normalise(words, OPTIONS) == words


def test_options_after_a_subcommand_are_left_to_it() -> None:
    words = ["-config", "x", "check", "-config", "y"]
    assert normalise(words, OPTIONS, interspersed=False) == ["--config", "x", "check", "-config", "y"]


@given(
    st.lists(
        st.sampled_from(["-config", "--config=1", "-color=false", "-color", "-s", "--", "-", "word", "-pair", "=", ""])
    )
)
def test_what_was_rewritten_once_stays_as_it_is(words: list[str]) -> None:
    once = normalise(words, OPTIONS)
    assert normalise(once, OPTIONS) == once


@click.group(cls=SingleDashGroup, invoke_without_command=True)
@click.option("--dir", "directory", cls=EmptyEnvvarOption, envvar="SINGLE_DASH_DIR", default="default")
@click.pass_context
def group(ctx: click.Context, directory: str) -> None:
    ctx.obj = directory


@group.command()
@click.option("--loud/--quiet", "-l")
@click.argument("words", nargs=-1)
@click.pass_obj
def sub(directory: str, words: tuple[str, ...], *, loud: bool) -> None:
    click.echo(" ".join([f"{directory!r} {loud}", *words]))


@pytest.mark.parametrize(
    "words, environment, wanted",
    [
        (["sub"], {}, "'default' False"),
        (["sub", "-loud"], {"SINGLE_DASH_DIR": ""}, "'' True"),
        (["-dir", "x", "sub", "-loud=false"], {"SINGLE_DASH_DIR": "y"}, "'x' False"),
        (["sub"], {"SINGLE_DASH_DIR": "y"}, "'y' False"),
        (["sub", "l"], {}, "'default' False l"),
        (["sub", "l=1", "-l"], {}, "'default' True l=1"),
    ],
)
def test_a_group_and_its_subcommands_take_both(words: list[str], environment: dict[str, str], wanted: str) -> None:
    result = CliRunner().invoke(group, words, env=environment)
    assert result.output.strip() == wanted


def test_a_value_that_is_no_truth_is_refused() -> None:
    result = CliRunner().invoke(group, ["sub", "-loud=maybe"])
    assert result.exit_code == 2
    assert "--loud" in result.output
