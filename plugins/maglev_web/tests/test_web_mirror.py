"""The mirror of a daemon: what changed, what an event does at once, and what all of it looks like as JSON."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from maglev import api
from maglev_web.feed import wire
from maglev_web.feed.beats import KEPT, Beats
from maglev_web.feed.mirror import Mirror
from maglev_web.feed.rates import Rates
from maglev_web.feed.status import Status
from plugins.maglev_web.tests.serving import snapshot

ADDRESS = IPv4Address("10.0.0.1")
VIP = api.VipKey(IPv4Address("192.0.2.1"), api.IPProtocol.TCP, 80)
UP, DOWN = api.BackendState.UP, api.BackendState.DOWN
REFUSED = api.ProbeResult(api.Code.L4CON, "Connection refused")


def backend(name: str = "alpha", **changes: Any) -> api.BackendSnapshot:
    values: dict[str, Any] = {
        "name": name, "address": ADDRESS, "healthcheck": "http", "state": UP, "counter": 3, "counter_top": 3,
        "enabled": True, "overridden": False, "frontends": ("web",), "history": (), "last_result": None,
        "last_result_at_s": None, "stale_since_s": None, "void_code": "", "probes": 1,
    }  # fmt: skip
    return api.BackendSnapshot(**values | changes)


def member(name: str = "alpha", **changes: Any) -> api.MemberSnapshot:
    values: dict[str, Any] = {
        "pool": "primary", "backend": name, "address": ADDRESS, "state": UP, "configured_weight": 100, "weight": 100,
        "overridden": False, "effective_weight": 100, "table_weight": 10, "reason": "configured",
        "dataplane_weight": 10, "buckets": 64, "flows": None,
    }  # fmt: skip
    return api.MemberSnapshot(**values | changes)


def frontend(name: str = "web", **changes: Any) -> api.FrontendSnapshot:
    values: dict[str, Any] = {
        "name": name, "description": "", "vip": VIP, "state": api.FrontendState.UP, "active_pool": "primary",
        "why": "", "pools": ("primary",), "members": (member(),), "table_length": 64, "weight_step": 10,
        "sticky": False, "flush_on_down": True, "when_none_up": "drop", "holding": False, "released": True,
        "in_sync": True, "drift": (),
    }  # fmt: skip
    return api.FrontendSnapshot(**values | changes)


def mirror() -> Mirror:
    """One frontend with one backend, of which everybody knows."""
    made = Mirror()
    made.replace(snapshot(frontends={"web": frontend()}, backends={"alpha": backend()}))
    made.take()
    return made


def taken(made: Mirror) -> Any:
    text = made.take()
    return json.loads(text) if text else {}


def test_first_snapshot_is_all_new() -> None:
    made = Mirror()
    made.replace(snapshot(frontends={"web": frontend()}, backends={"alpha": backend()}))
    everything = taken(made)
    assert list(everything["frontends"]) == ["web"]
    assert everything["order"] == ["web"]
    assert taken(made) == {}


def test_same_snapshot_again_changes_nothing() -> None:
    made = mirror()
    later = backend(probes=99, last_result_at_s=4.0)
    made.replace(snapshot(frontends={"web": frontend()}, backends={"alpha": later}))
    assert taken(made) == {}


def test_what_left_is_null_and_what_came_is_there() -> None:
    made = mirror()
    made.replace(snapshot(frontends={"api": frontend("api")}, backends={"alpha": backend()}))
    changes = taken(made)
    assert changes["frontends"]["web"] is None
    assert changes["frontends"]["api"]["name"] == "api"
    assert changes["order"] == ["api"]


def test_event_of_a_backend_shows_at_once_in_all_its_places() -> None:
    made = mirror()
    made.patch(api.BackendEvent(5.0, "alpha", ("web",), api.Transition(UP, DOWN, 5.0, REFUSED)))
    changes = taken(made)
    assert changes["backends"]["alpha"]["state"] == "down"
    assert changes["backends"]["alpha"]["history"][-1] == {
        "from": "up", "to": "down", "at_s": 5.0, "code": "L4CON", "why": "Connection refused",
    }  # fmt: skip
    assert changes["frontends"]["web"]["members"][0]["state"] == "down"


def test_event_of_the_present_state_changes_nothing() -> None:
    made = mirror()
    made.patch(api.BackendEvent(5.0, "alpha", ("web",), api.Transition(UP, UP, 5.0)))
    assert taken(made) == {}


def test_event_of_a_weight_shows_at_once() -> None:
    made = mirror()
    made.patch(api.WeightEvent(5.0, "web", "primary", "alpha", 40, 40, 100, "configured"))
    (changed,) = taken(made)["frontends"]["web"]["members"]
    assert (changed["weight"], changed["effective"]) == (40, 40)


def test_event_of_a_frontend_shows_at_once() -> None:
    made = mirror()
    made.patch(api.FrontendEvent(5.0, "web", api.FrontendState.UP, api.FrontendState.DOWN, "fallback", "none is up"))
    changed = taken(made)["frontends"]["web"]
    assert (changed["state"], changed["pool"], changed["why"]) == ("down", "fallback", "none is up")


def test_events_of_what_is_not_known_are_let_pass() -> None:
    made = mirror()
    made.patch(api.BackendEvent(5.0, "other", ("web",), api.Transition(UP, DOWN, 5.0)))
    made.patch(api.FrontendEvent(5.0, "other", api.FrontendState.UP, api.FrontendState.DOWN, "p"))
    made.patch(api.WeightEvent(5.0, "other", "p", "b", 1, 1, 1, ""))
    made.put_backend(backend("other"))
    made.put_frontend(frontend("other"))
    assert taken(made) == {}


@given(st.text())
def test_no_text_breaks_the_line_that_it_travels_on(text: str) -> None:
    made = mirror()
    made.put_frontend(frontend(description=text))
    line = made.take()
    assert b"\n" not in line
    assert b"\r" not in line
    assert line.isascii()
    if line:
        assert json.loads(line)["frontends"]["web"]["description"] == text


def test_every_kind_of_event_can_be_told() -> None:
    told = wire.event(api.SyncEvent(1.0, "operator", ("web",), {"set-weight": 2}))
    assert told["kind"] == "sync"
    assert told["operations"] == {"set-weight": 2}
    assert wire.event(api.DataplaneEvent(1.0, "memory", api.DataplaneChange.LOST, "gone"))["change"] == "lost"


def test_heartbeats_are_kept_for_newcomers_and_handed_on_once() -> None:
    beats = Beats()
    for number in range(KEPT + 10):
        beats.add(
            api.ProbeEvent(float(number), "alpha", api.ProbePhase.DONE, attrs.evolve(REFUSED, duration_ns=1_500_000))
        )
    beats.add(api.ProbeEvent(1.0, "alpha", api.ProbePhase.START))
    assert len(beats.kept()["alpha"]) == KEPT
    assert beats.take()["alpha"][0] == (0.0, 1.5, "L4CON")
    assert beats.take() == {}
    beats.forget({"beta"})
    assert beats.kept() == {}


def counters(first: int, octets: int | None = None) -> api.VipCounters:
    return api.VipCounters(VIP, {"first": first}, octets, octets)


def test_rates_come_with_the_second_reading() -> None:
    rates = Rates()
    assert rates.read([counters(10, 100)], 1.0)[str(VIP)]["rates"] is None
    assert rates.read([counters(30, 500)], 3.0)[str(VIP)]["rates"] == {
        "first": 10.0, "route_packets": 200.0, "route_bytes": 200.0,
    }  # fmt: skip


def test_counters_that_begin_anew_give_no_rates() -> None:
    rates = Rates()
    rates.read([counters(10)], 1.0)
    assert rates.read([counters(3)], 2.0)[str(VIP)]["rates"] is None
    assert rates.read([counters(5)], 3.0)[str(VIP)]["rates"] == {"first": 2.0}


def test_status_knows_since_when_it_is_what_it_is() -> None:
    status = Status().changed(10.0, connected=True, answering=True)
    assert status.changed(20.0, connected=True, answering=True).since_s == 10.0
    assert status.changed(20.0, connected=True, answering=False, why="slow").since_s == 20.0
