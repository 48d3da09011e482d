"""The manual pages: complete, and as mandoc and man want them."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from maglev.config import load
from maglev.library import installed
from tools.share.files import files
from tools.share.manual import COMMANDS, MANUAL, Page, text_of
from tools.share.roff import written

ROOT = Path(__file__).parents[2]
PAGES = pytest.mark.parametrize("page", MANUAL, ids=lambda page: page.title)


def ran(*words: str, text: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    return subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, check=False)


def shown(page: Page) -> str:
    """What a reader sees, without the overstriking of bold text, and with blanks for the ends of lines."""
    done = ran("mandoc", "-T", "utf8", text=text_of(page))
    assert done.returncode == 0
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", done.stdout))


def test_every_command_has_a_page() -> None:
    scripts = {
        name
        for project in (ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml"))
        for name in tomllib.loads(project.read_text())["project"].get("scripts", {})
    }
    assert set(COMMANDS) == scripts


@PAGES
def test_mandoc_finds_nothing_wrong(page: Page) -> None:
    done = ran("mandoc", "-T", "lint", "-W", "style", text=text_of(page))
    assert (done.stdout, done.stderr) == ("", "")


@PAGES
def test_groff_warns_of_nothing(page: Page) -> None:
    done = ran("groff", "-man", "-K", "utf8", "-T", "utf8", "-ww", "-b", text=text_of(page))
    assert (done.returncode, done.stderr) == (0, "")


@PAGES
def test_sections_are_those_of_every_manual_page(page: Page) -> None:
    sections = re.findall(r'(?m)^\.SH "(.+)"$', text_of(page))
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
    assert sections[-3:] == ["FILES", "EXAMPLES", "SEE ALSO"]
    assert sections[3] == ("OPTIONS" if page.command else "KEYS")


@pytest.mark.parametrize("page", [page for page in MANUAL if page.command], ids=lambda page: page.title)
def test_every_option_is_there_with_its_variable(page: Page) -> None:
    assert page.command
    options = [one for one in page.command().params if isinstance(one, click.Option)]
    variables = [one.envvar for one in options if isinstance(one.envvar, str)]
    text = shown(page)
    assert [word for word in (*(name for one in options for name in one.opts), *variables) if word not in text] == []


def test_every_key_of_the_configuration_is_there() -> None:
    page = next(page for page in MANUAL if page.name == "maglev.yaml")
    keys = set(re.findall(r"(?m)^\| `([a-z-]+)` \|", page.reference()))
    assert len(keys) > 50
    text = shown(page)
    assert [key for key in keys if key not in text] == []


def test_the_example_of_a_configuration_is_valid(tmp_path: Path) -> None:
    page = next(page for page in MANUAL if page.name == "maglev.yaml")
    found = re.search(r"```yaml\n(.*?)```", page.ending, re.DOTALL)
    assert found
    file = tmp_path / "maglev.yaml"
    file.write_text(found[1])
    assert list(load(file, installed()).config.frontends) == ["site"]


def test_text_is_shown_as_it_is() -> None:
    markdown = """
.dot 'quote \\back –-dash `--a-b "c" 'd' ~^` **bold** *slanted* [text](https://example.org/a-b) &lt;x&gt;

1. one
2. two

   more

| a | b | c |
|---|---|---|
| `x\\|y` | – | .what |
| z | `1` | |

```
.nf 'x'
  \\fB
```
"""
    text = "\n".join(['.TH X 1 2026-01-01 "x"', '.SH "X"', *written(markdown, lambda target: target), ""])
    done = ran("mandoc", "-T", "utf8", text=text)
    seen = re.sub(r".\x08", "", done.stdout)
    for wanted in (
        ".dot 'quote \\back –-dash --a-b \"c\" 'd' ~^ bold slanted text",
        "(https://example.org/a-b) <x>",
        "x|y",
        ".what",
        "B: 1.",
        ".nf 'x'\n",
        "  \\fB\n",
    ):
        assert wanted in re.sub(r"(?<=\S) *\n +(?=\S)", " ", seen) or wanted in seen


def test_what_no_page_needed_yet_is_refused() -> None:
    with pytest.raises(ValueError, match="blockquote"):
        list(written("> said", str))


@pytest.mark.parametrize("folder", ["share", "build/share", "../../build/share"])
def test_a_distribution_gets_its_own_files(tmp_path: Path, folder: str) -> None:
    root = tmp_path / "plugins/maglev_cli"
    root.mkdir(parents=True)
    for place, text in files().items():
        file = root / folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    add_share = runpy.run_path(str(ROOT / "tools/share_hook.py"))["add_share"]
    wheel: dict[str, Any] = {"shared_data": {}, "force_include": {}}
    add_share(root, "wheel", ["maglevd", "maglev.yaml"], wheel)
    assert sorted(wheel["shared_data"].values()) == [
        "share/bash-completion/completions/maglevd",
        "share/fish/vendor_completions.d/maglevd.fish",
        "share/man/man5/maglev.yaml.5",
        "share/man/man8/maglevd.8",
        "share/zsh/site-functions/_maglevd",
    ]
    assert wheel["force_include"] == {}
    sdist: dict[str, Any] = {"shared_data": {}, "force_include": {}}
    add_share(root, "sdist", ["maglevd", "maglev.yaml"], sdist)
    assert sdist["force_include"] == wheel["shared_data"]


def test_a_distribution_is_built_without_them_too(tmp_path: Path) -> None:
    add_share = runpy.run_path(str(ROOT / "tools/share_hook.py"))["add_share"]
    wheel: dict[str, Any] = {"shared_data": {}}
    add_share(tmp_path / "a/b", "wheel", ["maglevd"], wheel)
    assert wheel == {"shared_data": {}}
