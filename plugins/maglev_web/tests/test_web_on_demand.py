"""Probes and log records are requested from a daemon only while somebody watches them."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev import api
from maglev_grpc.convert import event_message, json_bytes
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from maglev_web.feed import daemon as feeds
from maglev_web.feed import logs, probes
from maglev_web.feed.counters import SHOWN, DataplaneMessages
from maglev_web.feed.on_demand import covers
from maglev_web.feed.probes import FollowedBackends
from plugins.maglev_web.tests.serving import until
from plugins.maglev_web.tests.test_web_feed import watched

RESULT = api.ProbeResult(api.Code.L7OK, "", 1_000_000)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_backends_are_followed_no_longer_unless_they_are_asked_for_again() -> None:
    clock = Clock()
    followed = FollowedBackends(10, kept_s=30, clock=clock)
    followed.ask(["a", "b"])
    clock.now_s += 20
    followed.ask(["b"])
    assert followed.now() == {"a", "b"}
    clock.now_s += 15
    assert followed.now() == {"b"}
    clock.now_s += 15
    assert followed.now() == set()


def test_of_too_many_backends_those_asked_for_last_are_followed_the_most_important_first() -> None:
    followed = FollowedBackends(3)
    followed.ask(["a", "b", "c", "d"])
    assert followed.now() == {"a", "b", "c"}
    followed.ask(["e"])
    assert followed.now() == {"a", "b", "e"}


@given(st.lists(st.lists(st.text(max_size=2))), st.integers(1, 5))
def test_there_are_never_more_than_allowed_and_the_most_important_asked_for_last_is_among_them(
    asked: list[list[str]], most: int
) -> None:
    followed = FollowedBackends(most)
    for names in asked:
        followed.ask(names)
        assert len(followed.now()) <= most
        assert not names or names[0] in followed.now()


def probe_filter(*names: str) -> api.EventFilter:
    return api.EventFilter(frozenset({api.EventKind.PROBE}), backends=frozenset(names))


def test_who_follows_more_than_is_wanted_need_not_ask_again() -> None:
    assert covers(probe_filter("a", "b"), probe_filter("a"))
    assert covers(probe_filter(), probe_filter())
    assert not covers(probe_filter("a"), probe_filter("a", "b"))
    assert not covers(probe_filter("a"), probe_filter())
    assert not covers(probe_filter(), probe_filter("a"))
    assert not covers(probe_filter("a"), None)
    assert not covers(probe_filter(), logs.WANTED)


def test_long_log_record_is_cut() -> None:
    event = api.LogEvent(1.0, "error", "m" * 9999, {f"field{n}": "x" * 9999 for n in range(99)})
    told = logs.record(event_message(1, event))
    assert len(json_bytes(told)) < 20_000
    assert told["log"]["message"].endswith("…")


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.text())))
def test_no_log_record_breaks_the_line_that_it_travels_on(text: str, fields: dict[str, Any]) -> None:
    line = json_bytes(logs.record(event_message(1, api.LogEvent(1.0, "info", text, fields))))
    assert line.isascii()
    assert b"\n" not in line
    assert b"\r" not in line


def counted(message: str, direction: str, result: str, count: int) -> pb.MessageCount:
    return pb.MessageCount(message=message, direction=direction, result=result, count=count)


def counts(**sent: int) -> list[pb.MessageCount]:
    return [counted(name, "tx", "ok", count) for name, count in sent.items()]


def test_messages_are_told_in_all_and_a_second() -> None:
    messages = DataplaneMessages()
    first = messages.read([*counts(ping=10), counted("ping", "rx", "error", 1)], 1.0)
    assert first is not None
    assert first["total"] == {"tx": 10, "rx": 1, "errors": 1, "rates": None}
    second = messages.read([*counts(ping=30), counted("ping", "rx", "error", 3)], 3.0)
    assert second is not None
    (line,) = second["messages"]
    assert (line["message"], line["tx"], line["rates"]) == ("ping", 30, {"tx": 10.0, "rx": 1.0, "errors": 1.0})


def test_request_and_what_answers_it_are_one_line() -> None:
    names = ("ping", "ping_reply", "vip_dump", "vip_details", "vip_details")
    told = DataplaneMessages().read([counted(name, "tx", "ok", 1) for name in names], 1.0)
    assert told is not None
    assert {one["message"]: one["tx"] for one in told["messages"]} == {"ping": 2, "vip_dump": 3}


def test_busiest_messages_come_first_and_the_rest_is_counted() -> None:
    messages = DataplaneMessages()
    names = [f"m{number:02}" for number in range(SHOWN + 3)]
    messages.read(counts(**{name: 1000 - place for place, name in enumerate(names)}), 1.0)
    told = messages.read(counts(**dict.fromkeys(names, 1000)), 2.0)
    assert told is not None
    assert [one["message"] for one in told["messages"]] == names[::-1][:SHOWN]
    assert told["more"] == 3


def test_messages_that_count_from_nought_again_give_no_rates() -> None:
    messages = DataplaneMessages()
    messages.read(counts(ping=10), 1.0)
    told = messages.read(counts(ping=5), 2.0)
    assert told is not None
    assert told["total"]["rates"] is None
    assert messages.read([], 3.0) is None


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INFO_EVERY_S", "COUNTERS_EVERY_S", "PROBES_EVERY_S", "_AGAIN_S"):
        monkeypatch.setattr(feeds, name, 0.05)


@pytest.mark.usefixtures("grpc_loop", "in_a_hurry")
class TestOverGrpc:
    async def test_of_many_backends_those_that_are_looked_at_are_followed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(probes, "AT_MOST", 2)
        async with watched() as (served, daemons):
            daemon = daemons.by_name[served.target]
            assert not served.control.bus.wants(api.EventKind.PROBE)
            assert json.loads(daemon.follow(["dns", "nobody"])) == {}
            await until(lambda: served.control.bus.wants(api.EventKind.PROBE), "they are followed")
            for name in ("alpha", "spare"):
                served.control.bus.publish(api.ProbeEvent(1.0, name, api.ProbePhase.DONE, RESULT))
            await until(lambda: json.loads(daemon.follow(["dns"])), "a probe arrives")
            assert json.loads(daemon.follow(["dns", "web"])) == {"alpha": [[1.0, 1.0, "L7OK"]]}

    async def test_probes_are_left_alone_when_nobody_looks_any_longer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probes, "AT_MOST", 2)
        async with watched() as (served, daemons):
            daemon = daemons.by_name[served.target]
            daemon.follow(["dns"])
            await until(lambda: served.control.bus.wants(api.EventKind.PROBE), "they are followed")
            served.control.bus.publish(api.ProbeEvent(1.0, "alpha", api.ProbePhase.DONE, RESULT))
            await until(lambda: json.loads(daemon.follow(["dns"])), "a probe arrives")
            monkeypatch.setattr(FollowedBackends, "now", lambda _self: frozenset())
            await until(lambda: not served.control.bus.wants(api.EventKind.PROBE), "they are not")
            # A line through what was seen before and after would be no latency.
            await until(lambda: json.loads(daemon.follow(["dns"])) == {}, "what was seen is forgotten")

    async def test_few_backends_are_followed_unasked(self) -> None:
        async with watched() as (served, daemons):
            await until(lambda: served.control.bus.wants(api.EventKind.PROBE), "they are followed")
            served.control.bus.publish(api.ProbeEvent(1.0, "spare", api.ProbePhase.DONE, RESULT))
            await until(lambda: json.loads(daemons.state())["maglevds"][0]["probes"], "a probe arrives")

    async def test_log_records_are_asked_for_while_somebody_reads_them(self) -> None:
        async with watched() as (served, daemons):
            assert not served.control.bus.wants(api.EventKind.LOG)
            async with aclosing(daemons.log_broker.follow()) as stream:
                await anext(stream)
                await until(lambda: served.control.bus.wants(api.EventKind.LOG), "they are asked for")
                for level in ("debug", "warning"):
                    served.control.bus.publish(api.LogEvent(1.0, level, "<b>said</b>", {"who": "x"}))
                said = json.loads((await anext(stream)).split(b"data: ")[1])
                assert said["maglevd"] == served.target
                assert (said["data"]["log"]["level"], said["data"]["log"]["message"]) == ("warning", "<b>said</b>")
            await until(lambda: not served.control.bus.wants(api.EventKind.LOG), "they are asked for no longer")
