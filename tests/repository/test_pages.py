"""Every command that README, tutorial and how-tos show is typed, as it stands there, and does what the page says.

Takes tens of seconds: servers start, fail over and are reloaded on every page. Pages do not share ports, processes or
files: each is played in namespaces of its own.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from maglev.cli.command import command as maglevd
from maglev.library import installed
from maglev_cli.command import command as maglevc
from maglev_cli.run import read_words
from maglev_tester.command import command as maglevt
from maglev_web.command import command as frontend
from tools.pages.blocks import NEEDS, ROOT, Block, Step, blocks, name_of, pages, steps
from tools.pages.terminal import PageError, Terminal, shows

UNSHARE = ["unshare", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc", "true"]
CONSOLE = [(page, block) for page in pages() for block in blocks(page, "console")]
OUT_OF_REACH = {"vpp", "systemd", "engine"}
"""What no machine has that runs the tests; the pages about these show more commands than all others."""
PLAYED = sorted({page for page, block in CONSOLE if "needs" not in block.notes})


@pytest.fixture(scope="session")
def _namespaces() -> None:
    if subprocess.run(UNSHARE, check=False, capture_output=True).returncode:
        pytest.skip("namespaces cannot be made here")


@pytest.mark.skipif("CI" in os.environ, reason="`.ci/run` plays all pages itself, in a fresh environment")
@pytest.mark.usefixtures("_namespaces")
@pytest.mark.parametrize("page", PLAYED, ids=name_of)
def test_a_page_does_what_it_says(page: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.pages", str(page)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_blocks_begin_with_a_prompt_and_are_valid_shell() -> None:
    for page, block in CONSOLE:
        assert block.text.startswith(("$ ", "# ")), (page, block.line)
        for step in steps(block):
            subprocess.run(["bash", "-n", "-c", step.command], check=True)


def unplayed() -> Iterator[list[str]]:
    """The commands of ours, as words, in blocks that need more than a test has."""
    for _, block in CONSOLE:
        if "needs" not in block.notes:
            continue
        assert block.notes["needs"] in NEEDS, block
        for step in steps(block):
            lexer = shlex.shlex(step.command, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words: list[str] = []
            for word in [*lexer, ";"]:
                if set(word) <= set("();<>|&"):
                    if words and words[0] in COMMANDS:
                        yield words
                    words = []
                else:
                    words.append(word)


COMMANDS = {
    "maglevd": lambda: maglevd(installed()),
    "maglevc": maglevc,
    "maglevt": maglevt,
    "maglevd-frontend": frontend,
}


@pytest.mark.parametrize("words", sorted(map(list, set(map(tuple, unplayed())))), ids=" ".join)
def test_what_is_not_played_is_at_least_a_command(words: list[str]) -> None:
    made: click.Command = COMMANDS[words[0]]()
    context = made.make_context(words[0], words[1:])
    if words[0] == "maglevc":
        read_words(context.params["words"])


def test_most_is_played() -> None:
    assert {ROOT / "README.md", ROOT / "docs/tutorial.md"} <= set(PLAYED)
    needs = Counter(block.notes.get("needs", "") for _, block in CONSOLE)
    within_reach = needs.total() - sum(needs[what] for what in OUT_OF_REACH)
    assert needs[""] >= 24
    assert needs[""] > within_reach * 2 / 3


# --- the player itself ---


def test_a_block_is_taken_apart() -> None:
    text = "$ a \\\n> b\nx …\n\ny\n# c\n"
    assert steps(Block("console", text, {}, 1)) == [Step("a \\\nb", ("x …", "y")), Step("c")]


def test_notes_stand_behind_the_language(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text\n```yaml file=a.yaml\nb: 1\n```\n```console terminal=2\n$ x\n```\n")
    assert list(blocks(page)) == [
        Block("yaml", "b: 1\n", {"file": "a.yaml"}, 2),
        Block("console", "$ x\n", {"terminal": "2"}, 5),
    ]
    assert [block.line for block in blocks(page, "console")] == [5]


def test_directives_for_the_site_are_left_out(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```{toctree}\nother\n```\n```text\na\n```\n")
    assert list(blocks(page)) == [Block("text", "a\n", {}, 4)]


@pytest.mark.parametrize(
    "wanted,is_there",
    [
        (["a b"], True),
        (["c … e"], True),
        (["a b", "c …"], True),
        (["c …", "a b"], False),
        (["a"], False),
        (["… d …"], True),
        (["…"], True),
    ],
)
def test_what_is_wanted_is_found_in_order(wanted: list[str], is_there: bool) -> None:
    assert shows("x\n a   b\nc d  e\n", wanted) is is_there


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path, {"PATH": "/usr/bin:/bin"})
    yield made
    made.close()


def test_a_command_must_end_well_or_print_what_is_wanted(terminal: Terminal) -> None:
    terminal.run("x=5", ())
    assert "5" in terminal.run("echo $x", ["5"])
    terminal.run("echo so; false", ["so"])
    for command, wanted in (("false", ()), ("echo other", ["so"])):
        with pytest.raises(PageError):
            terminal.run(command, wanted)


def test_what_runs_on_gets_control_c(terminal: Terminal) -> None:
    terminal.run("echo ready; sleep 1000", ["ready"])
    terminal.run("echo next", ["next"])
