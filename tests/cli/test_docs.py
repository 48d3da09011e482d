"""What the documentation shows can be done."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

from maglev.cli.command import command as maglevd
from maglev.config import flagged_options, load_text
from maglev.library import installed
from maglev_cli.command import command as maglevc
from maglev_tester.command import command as maglevt
from maglev_web.command import command as frontend
from tools.pages.blocks import ROOT, blocks, name_of, pages

PAGES = pages()
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_configurations_are_valid(page: Path) -> None:
    for block in blocks(page, "yaml"):
        if not block.text.startswith("rule_files:"):  # that one is Prometheus's
            loaded = load_text(block.text, installed())
            assert not ("file" in block.notes and loaded.warnings), "a reader runs it"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_programs_are_python_and_the_names_they_use_exist(page: Path) -> None:
    import maglev

    for block in blocks(page, "python"):
        text = block.text
        compile(dedent(text), name_of(page), "exec")
        for name in re.findall(r'(?<!")\bmaglev\.([A-Za-z_]+)', text):
            assert hasattr(maglev, name) or name == "api", f"maglev.{name}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s#]+)\)", page.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


# Those that no option of a command has: of plugins, a unit, a container, a secret, and for which there is no `--`.
OTHER_VARIABLES = {
    *(f"MAGLEV_{name}" for name in ("LOAD_PLUGINS", "TRACE_PLUGINS", "HEALTH_URL")),
    *(f"MAGLEV_FRONTEND_{name}" for name in ("ARGS", "USER", "PASSWORD")),
}


def variables() -> set[str]:
    """The environment variables of all commands."""
    found = {one.info.envvar for one in flagged_options(installed())}
    for command in (maglevd(installed()), maglevc(), maglevt(), frontend()):
        for parameter in command.params:
            named = parameter.envvar or ()
            found |= {named} if isinstance(named, str) else set(named)
    return found


def test_variables_that_pages_speak_of_exist() -> None:
    fields = {f"MAGLEV_{name}" for name in ("COMMAND", "WHO", "VIA", "WHY", "OUTCOME")}  # of the audit in the journal
    known = variables() | OTHER_VARIABLES | fields
    for page in PAGES:
        named = set(re.findall(r"\bMAGLEV_[A-Z_]*[A-Z]\b", page.read_text("utf-8")))
        assert named <= known, name_of(page)


def test_units_start_commands_of_ours_with_the_arguments_that_the_original_took() -> None:
    units = ("vpp-maglev", "vpp-maglev-frontend")
    texts = [(ROOT / f"packaging/systemd/{unit}.service").read_text("utf-8") for unit in units]
    starts = [line for text in texts for line in text.splitlines() if line.startswith("ExecStart=")]
    assert [start.rpartition("/")[2] for start in starts] == ["maglevd", "maglevd-frontend $MAGLEV_FRONTEND_ARGS"]


@pytest.mark.parametrize("example", EXAMPLES, ids=name_of)
def test_examples_are_valid(example: Path) -> None:
    load_text(example.read_text("utf-8"), installed())


def test_the_example_of_the_tutorial_is_valid_without_a_warning() -> None:
    assert load_text((ROOT / "examples" / "loopback.yaml").read_text("utf-8"), installed()).warnings == ()
