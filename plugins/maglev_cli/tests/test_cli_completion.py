"""Completion of one-shot commands: what the shells ask, what bash makes of it, and what zsh and fish are given."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from plugins.maglev_cli.tests.site import MAGLEVC, PATIENCE_S, Site, environment, maglevc


def candidates(*words: str, server: str = "localhost:1") -> list[str]:
    """What bash is told that the last of some words can become."""
    asked = {"_MAGLEVC_COMPLETE": "bash_complete", "COMP_WORDS": "\n".join(["maglevc", *words])}
    done = maglevc(**asked, COMP_CWORD=str(len(words)), MAGLEV_SERVER=server)
    assert (done.returncode, done.stderr) == (0, "")
    kinds_and_texts = [line.split(",", 1) for line in done.stdout.splitlines() if line]
    return [text if kind == "plain" else f"({kind}s)" for kind, text in kinds_and_texts]


def test_words_need_no_maglevd() -> None:
    assert candidates("sh") == ["show"]
    assert candidates("show", "vpp", "") == ["info", "lb"]
    assert candidates("foo", "") == []
    assert candidates("")[:2] == ["show", "set"]


def test_options_and_their_choices_are_completed() -> None:
    assert candidates("--out") == ["--output"]
    assert candidates("--output", "") == ["text", "json"]
    assert candidates("-output", "j") == ["json"]
    assert candidates("--ca", "") == ["(files)"]
    assert candidates("--server", "") == []
    assert candidates("--no-color", "conf") == ["config"]


def test_names_are_live(shared_site: Site) -> None:
    assert candidates("show", "backend", "a", server=shared_site.server) == ["ams-1", "ams-2"]
    assert candidates("set", "frontend", "site", "pool", "", server=shared_site.server) == ["primary", "fallback"]
    line = ["set", "frontend", "site", "pool", "fallback", "backend", ""]
    assert candidates(*line, server=shared_site.server) == ["fra-1"]
    assert candidates("--server", shared_site.server, "sh", "fr", "s") == ["site"]


def test_without_maglevd_there_are_no_names_and_no_error() -> None:
    assert candidates("show", "backend", "") == []
    assert candidates("sync", "vpp", "lb", "state", "") == ["recreate", "prune", "dry-run"]
    assert candidates("--server", "a,b", "show", "backend", "") == []


@pytest.mark.parametrize(
    "words,wanted",
    [
        (["maglevc", "show", "fron"], ["frontends", "frontend"]),
        (["maglevc", "set", "backend", ""], ["ams-1", "ams-2", "fra-1"]),
        (["maglevc", "--server", "HOST", ":", "PORT", "show", "backend", "f"], ["fra-1"]),
    ],
    ids=["word", "name", "colon"],
)
def test_bash_completes(shared_site: Site, tmp_path: Path, words: list[str], wanted: list[str]) -> None:
    launcher = tmp_path / "maglevc"
    launcher.write_text('#!/bin/sh\nexec {} "$@"\n'.format(" ".join(MAGLEVC)))
    launcher.chmod(0o755)
    host, port = shared_site.server.split(":")
    words = [{"HOST": host, "PORT": port}.get(word, word) for word in words]
    line = " ".join(words).replace(" : ", ":")
    script = (
        'source <(maglevc --completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$LINE_"; '
        'COMP_POINT=${#COMP_LINE}; _maglevc_completion maglevc; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{tmp_path}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env=environment(PATH=path, LINE_=line, MAGLEV_SERVER=shared_site.server),
    )
    assert (done.stdout.splitlines(), done.stderr) == (wanted, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_asks_maglevc(shell: str) -> None:
    done = maglevc("--completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_MAGLEVC_COMPLETE={shell}_complete" in done.stdout


def test_another_shell_is_refused() -> None:
    assert maglevc("--completion", "tcsh").returncode == 2
