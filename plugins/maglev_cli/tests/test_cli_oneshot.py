"""maglevd driven only through `maglevc`: what was changed shows in what is shown next, and in the dataplane."""

from __future__ import annotations

import os
import subprocess

import pytest

from maglev import api
from maglev_cli.forms import FORMS
from plugins.maglev_cli.tests.site import ADDRESSES, MAGLEVC, PATIENCE_S, Site, environment, names_of, until

SHOWN = (
    "show version",
    "show frontends",
    "show frontend site",
    "show backends",
    "show backend ams-1",
    "show healthchecks",
    "show healthcheck web",
    "show vpp info",
    "show vpp lb state",
    "show vpp lb state site",
    "show vpp lb counters",
    "show dataplane info",
    "show dataplane state",
    "show dataplane state site",
    "show dataplane counters",
    "show flow site 198.51.100.7",
    "show flow site 198.51.100.7 4711",
    "show flow all-ports 198.51.100.7 4711 destination-port 53 protocol udp",
    "config check",
)


def test_every_form_of_show_is_tried() -> None:
    assert {line.split()[1] for line in SHOWN} >= {
        form.syntax.split()[1] for form in FORMS if form.syntax.startswith("show ")
    }


@pytest.mark.parametrize("line", SHOWN)
def test_everything_can_be_shown_as_text_and_as_json(shared_site: Site, line: str) -> None:
    text = shared_site.text_of(line)
    assert text.endswith("\n")
    assert "\x1b" not in text
    assert isinstance(shared_site.json_of(line), dict)


def test_tables_name_what_there_is(shared_site: Site) -> None:
    lines = [line.split() for line in shared_site.text_of("sh ba").splitlines()]
    assert lines[0][:3] == ["backend", "address", "state"]
    assert [(line[0], line[1], line[2]) for line in lines[1:]] == [
        (name, address, "up") for name, address in ADDRESSES.items()
    ]
    (site,) = [line for line in shared_site.text_of("sh fr").splitlines() if line.startswith("site")]
    assert site.split("  ")[0] == "site"
    assert site.endswith("public site")
    assert "192.0.2.80:80/tcp" in site


def test_colour_can_be_forced_and_aligns_as_without(shared_site: Site) -> None:
    coloured = shared_site.text_of("--color show frontends")
    assert "\x1b[32mup\x1b[0m" in coloured
    stripped = coloured
    for code in ("\x1b[1m", "\x1b[32m", "\x1b[33m", "\x1b[0m"):
        stripped = stripped.replace(code, "")
    assert stripped == shared_site.text_of("-color=false show frontends")


def test_pausing_drains_and_resuming_brings_back(site: Site) -> None:
    assert site.text_of("set backend ams-1 pause") == "changed\n"
    assert (site.state("ams-1"), site.weights()) == ("paused", {"ams-1": 0, "ams-2": 5, "fra-1": 0})
    assert site.text_of("set backend ams-1 pause") == "nothing to change\n"
    site.text_of("set backend ams-1 resume")
    until(lambda: site.weights()["ams-1"] == 10, "ams-1 is back")
    assert site.state("ams-1") == "up"


def test_disabling_and_enabling(site: Site) -> None:
    site.text_of("set backend ams-1 disable")
    assert (site.state("ams-1"), site.weights()["ams-1"]) == ("disabled", 0)
    assert site.refused("set backend ams-1 pause") == (1, "cannot pause a disabled backend: enable it first")
    assert "(overridden)" in site.text_of("show backend ams-1")
    site.text_of("set backend ams-1 enable")
    until(lambda: site.weights()["ams-1"] == 10, "ams-1 is back")
    site.text_of("set backend ams-1 disable")
    site.text_of("set backend ams-1 reset")
    until(lambda: site.weights()["ams-1"] == 10, "ams-1 is back")
    assert "(overridden)" not in site.text_of("show backend ams-1")


def test_a_weight_is_set_rounded_and_reset(site: Site) -> None:
    told = site.text_of("set frontend site pool primary backend ams-1 weight 25")
    assert told == "changed\nweight 25 counts as 30: this VIP's table has steps of 10\n"
    assert site.weights()["ams-1"] == 3
    assert "25 (file: 100)" in site.text_of("show frontend site")
    site.text_of("set frontend site pool primary backend ams-1 weight reset")
    assert site.weights()["ams-1"] == 10
    site.text_of("set frontend site pool primary backend ams-1 weight 0")
    assert site.weights() == {"ams-1": 0, "ams-2": 5, "fra-1": 0}


def test_a_real_drain_moves_exactly_what_its_dry_run_said(site: Site) -> None:
    flows = [f"198.51.100.{host} {port}" for host in range(1, 5) for port in (1024, 4711)]
    before = {flow: site.json_of(f"show flow site {flow}") for flow in flows}
    (said,) = [
        each for each in site.json_of("set backend ams-1 disable dry-run")["frontends"] if each["frontend"] == "site"
    ]
    assert site.state("ams-1") == "up"
    held = site.json_of("show dataplane state site")["vips"][0]["servers"]
    assert said["before"]["buckets"] == {server["address"]: server["buckets"] for server in held}
    assert said["moved"] == said["before"]["buckets"][ADDRESSES["ams-1"]] / sum(said["before"]["buckets"].values())
    assert said["flushed"] == [ADDRESSES["ams-1"]]

    site.text_of("set backend ams-1 disable")
    held = site.json_of("show dataplane state site")["vips"][0]["servers"]
    assert said["after"]["buckets"] == {server["address"]: server["buckets"] for server in held}
    for flow, was in before.items():
        now = site.json_of(f"show flow site {flow}")
        assert now["backend"] == (was["backend_if_down"] if was["backend"] == "ams-1" else was["backend"])


DRY = (
    *(f"set backend ams-1 {verb}" for verb in ("pause", "resume", "enable", "disable", "reset")),
    "set frontend site pool primary backend ams-1 weight 10",
    "set frontend site pool primary backend ams-1 weight reset",
    "sync vpp lb state",
    "sync dataplane state site recreate prune",
    "config reload force",
)


def test_every_changing_command_has_a_dry_run() -> None:
    changing = [form for form in FORMS if form.action in {info.name for info in api.COMMANDS}]
    assert {form.syntax.split()[0] for form in changing} == {"set", "sync", "config"}
    assert [form.syntax for form in changing if "[dry-run]" not in form.syntax] == []


@pytest.mark.parametrize("line", DRY)
def test_a_dry_run_changes_nothing(shared_site: Site, line: str) -> None:
    before = shared_site.weights()
    assert shared_site.text_of(f"{line} dry-run")
    assert "frontends" in shared_site.json_of(f"{line} dry-run")
    assert (shared_site.weights(), shared_site.state("ams-1")) == (before, "up")


def test_a_dry_run_reads_as_a_table(shared_site: Site) -> None:
    text = shared_site.text_of("set backend ams-1 disable dry-run")
    assert "new flows that move  66" in text
    assert "would flush" in text
    assert "set-weight 192.0.2.80:80/tcp 127.0.0.51 weight 0 flush" in text
    assert "100 → 0" in text
    assert "→ 100.0 %" in text


def test_the_file_is_checked_and_reloaded(site: Site) -> None:
    good = site.file.read_text()
    assert site.text_of("config check") == "the configuration is valid: a reload would accept it\n"
    site.file.write_text(good.replace("weight: 50", "weight: 500").replace("protocol: tcp", "protocol: sctp"))
    done = site.run("config", "check")
    assert (done.returncode, done.stderr) == (1, "the configuration is not valid: 2 problems\n")
    assert done.stdout.count(str(site.file)) == 2
    status, told = site.refused("config reload")
    assert status == 1
    assert told.startswith("the configuration stays as it was: ")
    assert site.weights()["ams-2"] == 5
    site.file.write_text(good.replace("weight: 50", "weight: 20"))
    assert "ams-2    50 → 20" in site.text_of("config reload dry-run")
    assert site.text_of("config reload").startswith("changed\n")
    assert site.weights()["ams-2"] == 2


def test_a_sync_says_what_it_did(site: Site) -> None:
    assert site.text_of("sync vpp lb state") == "nothing to change\n"
    assert site.text_of("sync dataplane state site recreate") in ("nothing to change\n", "changed\n")
    assert site.refused("sync vpp lb state p")[1].startswith("no frontend 'p'")


def test_a_reader_that_leaves_is_no_error_to_tell(shared_site: Site) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*MAGLEVC, "show", "backends"],
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        timeout=PATIENCE_S,
        env=environment(MAGLEV_SERVER=shared_site.server),
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_lines_of_a_pipe_are_run_until_one_fails(shared_site: Site) -> None:
    done = shared_site.run(text='# what is there\nsh fr\n\nshow backend "nope"\nsh ba\n')
    assert (done.returncode, done.stderr) == (1, "no backend 'nope'\n")
    assert done.stdout.startswith("frontend")
    assert "address" not in done.stdout


def test_nothing_is_run_of_lines_that_are_not_all_commands(site: Site) -> None:
    done = site.run(text="set backend ams-1 disable\nset backend ams-1 enabel\n")
    assert done.returncode == 2
    assert done.stderr.startswith("line 2: unknown word 'enabel'")
    assert site.state("ams-1") == "up"


def test_names_in_json_are_those_of_the_configuration(shared_site: Site) -> None:
    assert names_of(shared_site.json_of("show backends")["backends"]) == list(ADDRESSES)
    assert names_of(shared_site.json_of("show frontends")["frontends"]) == ["site", "all-ports"]
