"""Completion in the shells themselves, each in a terminal, with its scripts where packages put them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.maglev_cli.tests.site import environment
from plugins.maglev_cli.tests.terminal import ENTER, TAB, Terminal
from tools.share.files import files

PROMPT = "ready>"
WRITTEN = "'rea''dy>'"  # so that the echo of its setting is no prompt
TO_ITS_BEGIN = "\x01"  # of the line, where a # makes it a comment
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
LINES = [
    ("maglevd --obs", "--observe"),
    ("maglevd -grpc-a", "-grpc-addr"),
    ("maglevd --log-format=con", "--log-format=console"),
    ("maglevd check site.y", "site.yaml"),
    ("maglevc sho", "show"),
    ("maglevc --output js", "json"),
    ("maglevt --min", "--min-ok"),
    ("maglevd-frontend -trus", "-trusted-proxies"),
]


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like `/usr/share`, with all that is made for it."""
    folder = tmp_path_factory.mktemp("share")
    for place, text in files().items():
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, share: Path, tmp_path: Path) -> Iterator[Terminal]:
    """Each shell, at its prompt, in a folder with one file, `site.yaml`."""
    name = request.param
    if shutil.which(name) is None or (name == "bash" and not BASH_COMPLETION.exists()):
        pytest.skip(f"{name}, or what completes for it, is not installed")
    (tmp_path / "site.yaml").touch()
    (tmp_path / "data/fish/generated_completions").mkdir(parents=True)  # else fish makes them, of all manual pages
    fpath = f"fpath=({share}/zsh/site-functions $fpath); setopt interactivecomments"
    commands, options = {
        "bash": (f"PS1={WRITTEN}; . {BASH_COMPLETION}", ["--norc", "--noprofile", "-i"]),
        "zsh": (f"PROMPT={WRITTEN}; {fpath}; autoload -U compinit; compinit -u", ["-f"]),
        "fish": (f"function fish_prompt; echo -n {WRITTEN}; end", []),
    }[name]
    variables = environment(
        PATH=f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin",
        HOME=str(tmp_path),
        XDG_DATA_DIRS=f"{share}:/usr/share",
        XDG_CONFIG_HOME=str(tmp_path / "config"),
        XDG_DATA_HOME=str(tmp_path / "data"),
        LC_ALL="C.UTF-8",
    )
    terminal = Terminal(["env", "-C", str(tmp_path), name, *options], variables)
    try:
        terminal.type(f"{commands}{ENTER}")
        terminal.expect(PROMPT)
        yield terminal
    finally:
        terminal.close()


def test_each_command_is_completed(shell: Terminal) -> None:
    for line, word in LINES:
        shell.type(f"{line}{TAB}")
        shell.expect(word)
        shell.type(f"{TO_ITS_BEGIN}#{ENTER}")
        shell.expect(PROMPT)
