"""The shell as an operator has it: in a terminal, with a real maglevd that may go and come back."""

from __future__ import annotations

import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from plugins.maglev_cli.tests.site import MAGLEVC, Site, environment, until
from plugins.maglev_cli.tests.terminal import CTRL_C, CTRL_D, ENTER, TAB, UP, Terminal

PROMPT = "maglevc> "
Open = Callable[[Site], Terminal]


@pytest.fixture
def opened(stack: ExitStack, tmp_path: Path) -> Open:
    """Opens shells; they are gone when the test ends."""

    def start(site: Site, *words: str) -> Terminal:
        variables = environment(MAGLEV_SERVER=site.server, XDG_STATE_HOME=str(tmp_path))
        terminal = Terminal([*MAGLEVC, *words], variables)
        stack.callback(terminal.close)
        terminal.expect(PROMPT)
        return terminal

    return start


def test_it_greets_runs_commands_and_leaves(shared_site: Site, opened: Open) -> None:
    shell = opened(shared_site)
    assert "maglevd" in shell.raw
    shell.type(f"sh ba{ENTER}")
    shell.expect("address", "ams-1", "fra-1", PROMPT)
    shell.type(f"quit{ENTER}")
    assert shell.ended() == 0


def test_a_question_mark_shows_help_and_keeps_the_line(shared_site: Site, opened: Open) -> None:
    shell = opened(shared_site)
    shell.type("show ba?")
    shell.expect("show ba?", "backends", "all backends", "backend", "one backend", f"{PROMPT}show ba")
    shell.type(f"ckends{ENTER}")
    shell.expect("address", "ams-1", PROMPT)


def test_a_question_mark_after_nonsense_says_what_is_wrong(shared_site: Site, opened: Open) -> None:
    shell = opened(shared_site)
    shell.type("sohw ?")
    shell.expect("unknown word 'sohw'; possible: show", f"{PROMPT}sohw ")


def test_a_question_mark_in_quotes_is_one(shared_site: Site, opened: Open) -> None:
    shell = opened(shared_site)
    shell.type(f'show backend "a?"{ENTER}')
    shell.expect("no backend 'a?'", PROMPT)


def test_tab_completes_words_and_live_names(shared_site: Site, opened: Open) -> None:
    shell = opened(shared_site)
    shell.type(f"conf{TAB}ch{TAB}{ENTER}")
    shell.expect("the configuration is valid", PROMPT)
    shell.type(f"show backend f{TAB}")
    shell.expect("show backend fra-1 ")
    shell.type(ENTER)
    shell.expect("127.0.0.53", PROMPT)


def test_tab_shows_the_choices_and_keeps_the_line(shared_site: Site, opened: Open) -> None:
    shell = opened(shared_site)
    shell.type(f"set backend {TAB}")
    shell.expect("set backend", "ams-1", "ams-2", "fra-1", f"{PROMPT}set backend ")
    shell.type(f"a{TAB}")
    shell.expect("ams-")
    shell.type(f"1 pause dry-run{ENTER}")
    shell.expect("new flows that move", PROMPT)


def test_abbreviations_and_unknown_words(shared_site: Site, opened: Open) -> None:
    shell = opened(shared_site)
    shell.type(f"sh fr site{ENTER}")
    shell.expect("public site", PROMPT)
    shell.type(f"show foo{ENTER}")
    shell.expect("unknown word 'foo' after 'show'; possible: version, frontends", PROMPT)
    assert "\x1b[31munknown word" in shell.raw
    shell.type(f's ba "x{ENTER}')
    shell.expect("a quote is not closed", PROMPT)


def test_history_comes_back_in_this_shell_and_in_the_next(shared_site: Site, opened: Open, tmp_path: Path) -> None:
    shell = opened(shared_site)
    shell.type(f"show healthcheck web{ENTER}")
    shell.expect("response-code", PROMPT)
    shell.type(f"{UP}")
    shell.expect("show healthcheck web")
    shell.type(ENTER)
    shell.expect("response-code", PROMPT)
    shell.type(CTRL_D)
    assert shell.ended() == 0
    file = tmp_path / "maglevc" / "history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = opened(shared_site)
    again.type(UP)
    again.expect("show healthcheck web")


def test_control_c_clears_the_line_and_control_d_leaves(site: Site, opened: Open) -> None:
    shell = opened(site)
    shell.type("set backend ams-1 disable")
    shell.expect("set backend ams-1 disable")
    shell.type(CTRL_C)
    shell.expect(PROMPT)
    shell.type(f"show version{ENTER}")
    shell.expect("warm-up", PROMPT)
    assert site.state("ams-1") == "up"
    shell.type(CTRL_D)
    assert shell.ended() == 0


@pytest.mark.parametrize("key", ["x", CTRL_C], ids=["key", "control-c"])
def test_watching_ends_at_a_key_and_the_shell_goes_on(shared_site: Site, opened: Open, key: str) -> None:
    shell = opened(shared_site)
    shell.type(f"watch events backend{ENTER}")
    shell.expect('"backend": "fra-1"')
    shell.type(key)
    shell.expect(PROMPT)
    shell.type(f"sh fr{ENTER}")
    shell.expect("public site", PROMPT)


def test_what_is_changed_in_the_shell_is_changed(site: Site, opened: Open) -> None:
    shell = opened(site)
    shell.type(f"set ba ams-1 pause{ENTER}")
    shell.expect("changed", PROMPT)
    assert site.weights()["ams-1"] == 0
    shell.type(f"set ba ams-1 resume{ENTER}")
    shell.expect("changed", PROMPT)
    until(lambda: site.weights()["ams-1"] == 10, "ams-1 is back")


def test_maglevd_may_go_and_come_back(site: Site, opened: Open) -> None:
    shell = opened(site)
    site.stop()
    shell.type(f"show frontends{ENTER}")
    shell.expect(f"{site.server}: ", PROMPT)
    assert f"\x1b[31m{site.server}: " in shell.raw
    shell.type(f"show backend f{TAB}")
    shell.expect("names are not known", f"{PROMPT}show backend f")
    shell.type(CTRL_C)
    shell.expect(PROMPT)
    site.start()

    def is_back() -> bool:
        shell.type(f"show frontends{ENTER}")
        return "public site" in shell.expect("show frontends", "\n", PROMPT)

    until(is_back, "maglevd answers again")


def test_a_shell_without_maglevd_says_so_and_waits(site: Site, opened: Open) -> None:
    site.stop()
    shell = opened(site)
    assert f"{site.server}: " in shell.raw
    shell.type(f"help{ENTER}")
    shell.expect("show frontend <frontend>", PROMPT)


def test_without_colour_there_is_none(shared_site: Site, stack: ExitStack, tmp_path: Path) -> None:
    variables = environment(MAGLEV_SERVER=shared_site.server, NO_COLOR="1", XDG_STATE_HOME=str(tmp_path))
    shell = Terminal([*MAGLEVC, "show", "frontends"], variables)
    stack.callback(shell.close)
    shell.expect("public site")
    assert "\x1b" not in shell.raw
    assert shell.ended() == 0
