"""The state of a daemon: what changed, what an event does at once, and what all of it looks like as JSON."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from maglev import api
from maglev_grpc.convert import event_message, to_message
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed.counters import VipTraffic
from maglev_web.feed.messages import JSON
from maglev_web.feed.probes import KEPT, ProbeHistory
from maglev_web.feed.state import State
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
        "dataplane_weight": 10, "buckets": 64, "entries": None,
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


def state() -> State:
    """One frontend with one backend, of which everybody knows."""
    made = State()
    made.replace(snapshot(frontends={"web": frontend()}, backends={"alpha": backend()}))
    made.take()
    return made


def patch(made: State, event: api.Event) -> None:
    made.patch(event_message(1, event))


def taken(made: State) -> Any:
    text = made.take()
    return json.loads(text) if text else {}


def test_first_snapshot_is_all_new() -> None:
    made = State()
    made.replace(snapshot(frontends={"web": frontend()}, backends={"alpha": backend()}))
    everything = taken(made)
    assert list(everything["frontends"]) == ["web"]
    assert everything["order"] == ["web"]
    assert taken(made) == {}


def test_nothing_is_told_before_the_first_snapshot() -> None:
    assert taken(State()) == {}


def test_same_snapshot_again_changes_nothing() -> None:
    made = state()
    later = backend(probes=99, last_result_at_s=4.0)
    made.replace(snapshot(frontends={"web": frontend()}, backends={"alpha": later}))
    assert taken(made) == {}


def test_what_left_is_null_and_what_came_is_there() -> None:
    made = state()
    made.replace(snapshot(frontends={"api": frontend("api")}, backends={"alpha": backend()}))
    changes = taken(made)
    assert changes["frontends"]["web"] is None
    assert changes["frontends"]["api"]["name"] == "api"
    assert changes["order"] == ["api"]


def test_event_of_a_backend_shows_at_once_in_all_its_places() -> None:
    made = state()
    patch(made, api.BackendEvent(5.0, "alpha", ("web",), api.Transition(UP, DOWN, 5.0, REFUSED)))
    changes = taken(made)
    assert changes["backends"]["alpha"]["state"] == "down"
    assert changes["backends"]["alpha"]["history"][-1] == {
        "from_state": "up", "to_state": "down", "at_s": 5.0, "why": "",
        "result": {"code": "L4CON", "detail": "Connection refused", "ok": False, "layer": "L4", "verdict": "fail"},
    }  # fmt: skip
    assert changes["frontends"]["web"]["members"][0]["state"] == "down"


def test_event_of_the_present_state_changes_nothing() -> None:
    made = state()
    patch(made, api.BackendEvent(5.0, "alpha", ("web",), api.Transition(UP, UP, 5.0)))
    assert taken(made) == {}


def test_event_of_a_weight_shows_at_once() -> None:
    made = state()
    patch(made, api.WeightEvent(5.0, "web", "primary", "alpha", 40, 40, 100, "configured"))
    (changed,) = taken(made)["frontends"]["web"]["members"]
    assert (changed["weight"], changed["effective_weight"]) == (40, 40)


def test_event_of_a_frontend_shows_at_once() -> None:
    made = state()
    patch(made, api.FrontendEvent(5.0, "web", api.FrontendState.UP, api.FrontendState.DOWN, "fallback", "none is up"))
    changed = taken(made)["frontends"]["web"]
    assert (changed["state"], changed["active_pool"], changed["why"]) == ("down", "fallback", "none is up")


def test_events_of_what_is_not_known_are_let_pass() -> None:
    made = state()
    patch(made, api.BackendEvent(5.0, "other", ("web",), api.Transition(UP, DOWN, 5.0)))
    patch(made, api.FrontendEvent(5.0, "other", api.FrontendState.UP, api.FrontendState.DOWN, "p"))
    patch(made, api.WeightEvent(5.0, "other", "p", "b", 1, 1, 1, ""))
    made.put_backend(to_message(backend("other")))
    made.put_frontend(to_message(frontend("other")))
    assert taken(made) == {}


@given(st.text())
def test_no_text_breaks_the_line_that_it_travels_on(text: str) -> None:
    made = state()
    made.put_frontend(to_message(frontend(description=text)))
    line = made.take()
    assert b"\n" not in line
    assert b"\r" not in line
    assert line.isascii()
    if line:
        assert json.loads(line)["frontends"]["web"]["description"] == text


def test_what_another_probe_changes_and_parameters_of_checks_are_not_told() -> None:
    told = JSON.plain(to_message(backend(probes=5, last_result=REFUSED, last_result_at_s=5.0)))
    assert not {"probes", "last_result_at_s"} & told.keys()
    assert "duration_ns" not in told["last_result"]
    assert "params" not in JSON.plain(pb.HealthCheck(name="http"))


def test_dataplane_is_told_without_what_it_holds_but_how_many_vips() -> None:
    made = State()
    held = api.DataplaneState(
        {VIP: api.VipState(api.VipAttributes(api.Encap.GRE4, 64), {})}, api.DataplaneConf(None, None, 1024, 40)
    )
    plane = api.DataplaneSnapshot("memory", True, False, None, held, (VIP,), "")
    made.replace(snapshot(dataplane=plane))
    told = taken(made)
    assert told["vips"] == 1
    assert told["dataplane"]["unmanaged"] == [{"address": "192.0.2.1", "protocol": "tcp", "port": 80}]
    assert "state" not in told["dataplane"]


def test_probes_are_kept_for_newcomers_and_handed_on_once() -> None:
    probes = ProbeHistory()
    for number in range(KEPT + 10):
        result = attrs.evolve(REFUSED, duration_ns=1_500_000)
        probes.add(to_message(api.ProbeEvent(float(number), "alpha", api.ProbePhase.DONE, result)))
    probes.add(to_message(api.ProbeEvent(1.0, "alpha", api.ProbePhase.START)))
    assert len(probes.kept()["alpha"]) == KEPT
    assert probes.take()["alpha"][0] == (0.0, 1.5, "L4CON")
    assert probes.take() == {}
    probes.forget({"beta"})
    assert probes.kept() == {}


def counters(first: int, octets: int | None = None) -> pb.VipCounters:
    message: pb.VipCounters = to_message(api.VipCounters(VIP, {"first": first}, octets, octets))
    return message


def rates_of(traffic: VipTraffic, counter: pb.VipCounters, at_s: float) -> Any:
    (one,) = traffic.read([counter], at_s)
    assert one["vip"] == {"address": "192.0.2.1", "protocol": "tcp", "port": 80}
    return one["rates"]


def test_rates_come_with_the_second_reading() -> None:
    traffic = VipTraffic()
    assert rates_of(traffic, counters(10, 100), 1.0) is None
    assert rates_of(traffic, counters(30, 500), 3.0) == {
        "first": 10.0, "route_packets": 200.0, "route_bytes": 200.0,
    }  # fmt: skip


def test_counters_that_begin_anew_give_no_rates() -> None:
    traffic = VipTraffic()
    rates_of(traffic, counters(10), 1.0)
    assert rates_of(traffic, counters(3), 2.0) is None
    assert rates_of(traffic, counters(5), 3.0) == {"first": 2.0}


def test_status_knows_since_when_it_is_what_it_is() -> None:
    status = Status().changed(10.0, connected=True, answering=True)
    assert status.changed(20.0, connected=True, answering=True).since_s == 10.0
    assert status.changed(20.0, connected=True, answering=False, why="slow").since_s == 20.0
