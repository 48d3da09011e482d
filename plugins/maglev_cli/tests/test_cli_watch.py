"""`watch events` outside of the shell."""

from __future__ import annotations

import json
import signal
import subprocess

from plugins.maglev_cli.tests.site import ADDRESSES, MAGLEVC, PATIENCE_S, Site, environment


def test_watching_gives_the_present_state_then_changes(site: Site) -> None:
    watcher = subprocess.Popen(
        [*MAGLEVC, "watch", "events", "backend", "num", "4"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(MAGLEV_SERVER=site.server),
    )
    assert watcher.stdout is not None
    first = [json.loads(watcher.stdout.readline()) for _ in range(3)]
    assert [event["backend"]["backend"] for event in first] == list(ADDRESSES)
    assert all(event["initial"] for event in first)
    site.text_of("set backend ams-2 pause")
    (line,) = watcher.communicate(timeout=PATIENCE_S)[0].splitlines()
    change = json.loads(line)["backend"]
    assert (change["backend"], change["transition"]["to_state"]) == ("ams-2", "BACKEND_STATE_PAUSED")
    assert watcher.returncode == 0


def test_watching_ends_at_an_interrupt_with_status_zero(shared_site: Site) -> None:
    watcher = subprocess.Popen(
        [*MAGLEVC, "watch", "events"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(MAGLEV_SERVER=shared_site.server),
    )
    assert watcher.stdout is not None
    assert json.loads(watcher.stdout.readline())["initial"]
    watcher.send_signal(signal.SIGINT)
    assert watcher.communicate(timeout=PATIENCE_S)[1] == ""
    assert watcher.returncode == 0


def test_probes_and_logs_are_watched_when_asked_for(shared_site: Site) -> None:
    lines = shared_site.text_of("watch events probe num 3").splitlines()
    assert all("probe" in json.loads(line) for line in lines)
