"""Views as text: aligned, harmless for a terminal, and the same with and without colour."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata
from ipaddress import IPv4Address
from operator import itemgetter

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from maglev import api
from maglev_cli.render import Output, json_of, one_line, text_of, wants_colour, wrapped
from maglev_cli.views import backends, changes, dataplane, formatting
from maglev_cli.views.model import Cell, Column, Fields, Line, Style, Table, View, cell, printable, table
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb

WEB, TLS = (api.VipKey(IPv4Address("192.0.2.80"), api.IPProtocol.TCP, port) for port in (80, 443))
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
WIDE = 400
NAME_AND_WHY = {"name": itemgetter(0), "why": itemgetter(1)}

# Narrow, wide, and harmful; how wide the rarest of Unicode's clusters are is each terminal's own opinion.
_TEXT = st.text(st.sampled_from("abcxyz019-:/→é漢字\U0001f642 \n\t\x1b\x07\u202e"), max_size=12)
_CELL = st.builds(Cell, _TEXT, st.sampled_from(Style))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    titles = draw(
        st.lists(st.builds(Column, st.text("abc", min_size=1, max_size=9), st.booleans()), min_size=1, max_size=5)
    )
    rows = draw(st.lists(st.tuples(*(_CELL for _ in titles)), max_size=4))
    return Table(tuple(titles), tuple(rows))


_FIELDS = st.lists(st.tuples(st.text("abc ", min_size=1, max_size=9), _CELL), min_size=1, max_size=4)
_BLOCK = st.builds(Line, _CELL) | _FIELDS.map(lambda pairs: Fields(tuple(pairs))) | tables()
VIEWS = st.lists(_BLOCK, max_size=4).map(tuple)


def visible(text: str) -> list[str]:
    return [line.rstrip() for line in ESCAPES.sub("", text).splitlines()]


@given(view=VIEWS)
def test_colour_changes_nothing_but_colour(view: View) -> None:
    assert ESCAPES.sub("", text_of(view, colour=True)) == text_of(view)


@given(view=VIEWS)
def test_wrapping_changes_nothing_where_there_is_room(view: View) -> None:
    wanted = visible(text_of(view))
    assert visible(wrapped(view, colour=True, width=WIDE)) == wanted
    assert visible(wrapped(view, colour=False, width=WIDE)) == wanted


@given(table=tables())
def test_columns_align(table: Table) -> None:
    text = text_of((table,))
    if not table.rows:
        assert text == "none\n"
        return
    widths = [
        max(cell_len(each.text) for each in (Cell(column.title), *(row[index] for row in table.rows)))
        for index, column in enumerate(table.columns)
    ]
    for line, cells in zip(text.splitlines()[1:], table.rows, strict=True):
        padded = [
            plain_padded(each.text, width, right=column.right)
            for each, width, column in zip(cells, widths, table.columns, strict=True)
        ]
        assert line == "  ".join(padded).rstrip(" ")


def plain_padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks


@given(text=st.text())
def test_no_text_reaches_a_terminal_that_could_steer_it(text: str) -> None:
    shown = printable(text)
    assert all(unicodedata.category(character) not in ("Cc", "Cf", "Cs") for character in shown)
    assert "\n" not in one_line(text)


def test_a_narrow_terminal_wraps_within_the_column() -> None:
    found = table([("a", "one two three four"), ("b", "x")], NAME_AND_WHY)
    text = text_of((found,), colour=False, width=16)
    assert [line.rstrip() for line in text.splitlines()] == [
        "name  why",
        "a     one two",
        "      three four",
        "b     x",
    ]


def test_errors_are_one_line() -> None:
    assert one_line("refused:\n  a: 1\n  b: 2\n") == "refused: a: 1; b: 2"
    assert one_line("a\x1b[31mb") == "a\\x1b[31mb"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "asked,variables,stream,wanted",
    [
        (None, {}, Screen(), True),
        (None, {}, io.StringIO(), False),
        (None, {"NO_COLOR": "1"}, Screen(), False),
        (None, {"NO_COLOR": ""}, Screen(), True),
        (None, {"TERM": "dumb"}, Screen(), False),
        (True, {"NO_COLOR": "1"}, io.StringIO(), True),
        (False, {}, Screen(), False),
    ],
    ids=["terminal", "file", "NO_COLOR", "empty", "dumb", "asked", "forbidden"],
)
def test_colour_is_for_terminals_unless_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    asked: bool | None,
    variables: dict[str, str],
    stream: io.StringIO,
    wanted: bool,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wants_colour(asked, stream) is wanted


def test_a_terminal_that_is_wide_enough_gets_what_a_file_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Screen())
    view = (table([("a", "one two three")], NAME_AND_WHY),)
    monkeypatch.setenv("COLUMNS", "80")
    assert Output(colour=False).text(view) == text_of(view)
    monkeypatch.setenv("COLUMNS", "12")
    assert Output(colour=False).text(view) != text_of(view)


def test_json_has_the_names_of_the_api_and_its_zeros() -> None:
    message = pb.Member(pool="a", effective_weight=0)
    found = json.loads(json_of(message))
    assert (found["pool"], found["effective_weight"]) == ("a", 0)
    assert "dataplane_weight" not in found
    assert "\n" not in json_of(message)


@pytest.mark.parametrize(
    "seconds,told",
    [(-1, "0s"), (0.4, "0s"), (59, "59s"), (60, "1m"), (192, "3m12s"), (3600, "1h"), (90061, "1d1h"), (86460, "1d")],
)
def test_ages_are_short(seconds: float, told: str) -> None:
    assert formatting.age(seconds) == told


@pytest.mark.parametrize(
    "seconds,told", [(0, "0s"), (0.5, "500ms"), (2, "2s"), (1.5, "1.5s"), (120, "2m"), (90, "90s")]
)
def test_durations_are_written_as_in_the_configuration(seconds: float, told: str) -> None:
    assert formatting.duration(seconds) == told


def test_nothing_is_shown_as_a_dash() -> None:
    assert (cell(None).text, cell("").text, cell(0).text) == ("-", "-", "0")


A, B = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")


def test_a_preview_tells_before_and_after_and_what_moves() -> None:
    preview = api.Preview(
        (
            api.FrontendPreview(
                "web",
                api.Shares({"a": 100, "b": 50}, {A: 10, B: 5}, {A: 6, B: 2}),
                api.Shares({"a": 0, "b": 50}, {A: 0, B: 5}, {A: 0, B: 8}),
                moved=0.75,
                moved_avoidable=0.0,
                operations=("set-weight x",),
                flushed=(A,),
            ),
        ),
        ("a word of warning",),
    )
    assert text_of(changes.preview(preview, {"a": A, "b": B})) == (
        "frontend             web\n"
        "new flows that move  75.0 %\n"
        "of them avoidable    0.0 %\n"
        "would flush          10.0.0.1\n"
        "would write          set-weight x\n"
        "\n"
        "server    backend  weight   table weight  buckets  share of new flows\n"
        "10.0.0.1  a        100 → 0  10 → 0        6 → 0    75.0 % → 0.0 %\n"
        "10.0.0.2  b        50       5             2 → 8    25.0 % → 100.0 %\n"
        "\n"
        "a word of warning\n"
    )


def test_a_preview_tells_states_and_what_concerns_no_frontend() -> None:
    up, down = api.FrontendState.UP, api.FrontendState.DOWN
    preview = api.Preview(
        (
            api.FrontendPreview(
                "web",
                api.Shares({"a": 100}, {A: 10}, {A: 8}, up, "primary"),
                api.Shares({"a": 0}, {A: 0}, {A: 0}, down, "fallback"),
                moved=1.0,
                moved_avoidable=0.0,
                operations=("set-weight x",),
            ),
        ),
        backends=(
            api.BackendPreview("a", api.BackendState.UP, api.BackendState.PAUSED),
            api.BackendPreview("b", None, api.BackendState.UNKNOWN),
        ),
        operations=("del-vip y", "set-weight x"),
    )
    text = text_of(changes.preview(preview, {"a": A}))
    assert text.startswith(
        "a: up → paused\n"
        "b: none → unknown\n"
        "\n"
        "frontend             web\n"
        "state                up → down\n"
        "active pool          primary → fallback\n"
        "new flows that move  100.0 %\n"
    )
    assert text.endswith("\n\nwould write, for no frontend: del-vip y\n")
    assert text.count("set-weight x") == 1


def test_a_preview_of_what_only_concerns_others_is_not_nothing() -> None:
    preview = api.Preview((), operations=("del-vip y",))
    assert text_of(changes.preview(preview, {})) == "would write, for no frontend: del-vip y\n"


def test_a_preview_of_nothing_says_so() -> None:
    assert text_of(changes.preview(api.Preview(()), {})) == "nothing would change\n"


def test_failures_are_told_apart_from_what_was_done() -> None:
    result = api.CommandResult(False, ("set-weight: 1",), ("add-vip x: refused",))
    assert text_of(changes.result(result)) == "set-weight: 1\n"
    assert text_of(changes.result(api.CommandResult(True, ("rounded",)))) == "changed\nrounded\n"


def test_messages_to_and_from_the_dataplane_are_added_up() -> None:
    counts = (
        api.MessageCount("lb_conf", "tx", "ok", 2),
        api.MessageCount("lb_conf_reply", "rx", "error", 1),
        api.MessageCount("lb_conf_reply", "rx", "ok", 1),
    )
    found = api.DataplaneSnapshot("vpp", True, False, None, None, (), "", counts)
    assert "messages    2 sent, 2 received, 1 of them errors\n" in text_of(dataplane.dataplane(found, 0.0))
    assert "messages" not in text_of(dataplane.dataplane(attrs.evolve(found, api_messages=()), 0.0))


def test_what_differs_in_the_whole_dataplane_is_told() -> None:
    found = api.DataplaneSnapshot("vpp", True, False, None, None, (), "", drift=("sticky buckets are 1, wanted 2",))
    assert "drift       sticky buckets are 1, wanted 2\n" in text_of(dataplane.dataplane(found, 0.0))
    assert "drift" not in text_of(dataplane.dataplane(attrs.evolve(found, drift=()), 0.0))


@pytest.mark.parametrize(
    "left_s,told,style",
    [
        (None, None, None),
        (13.5 * 86_400, "(in 13d12h)", Style.PLAIN),
        (-3600.0, "(1h ago)", Style.ERROR),
    ],
    ids=["none-seen", "valid", "over"],
)
def test_show_backend_tells_when_its_certificate_ends(
    left_s: float | None, told: str | None, style: Style | None
) -> None:
    now_s = 1_900_000_000.0
    found = api.BackendSnapshot(
        name="a", address=IPv4Address("10.0.0.1"), healthcheck="https", state=api.BackendState.UP, counter=3,
        counter_top=3, enabled=True, overridden=False, frontends=(), history=(), last_result=None,
        last_result_at_s=None, stale_since_s=None, void_code="", probes=1,
        certificate_not_after_s=None if left_s is None else now_s + left_s,
    )  # fmt: skip
    head = backends.backend(found, now_s)[0]
    assert isinstance(head, Fields)

    ends = dict(head.pairs).get("certificate ends")

    assert (ends is None) is (told is None)
    if ends is not None and told is not None:
        assert (ends.text.endswith(told), ends.style) == (True, style)


def test_the_counter_of_a_route_is_told_once_for_all_vips_of_its_address() -> None:
    other = attrs.evolve(WEB, address=IPv4Address("192.0.2.81"))
    found = [
        api.VipCounters(WEB, {"first": 5}, 127, 9000),
        api.VipCounters(TLS, {"first": 7}, 127, 9000),
        api.VipCounters(other, {"first": 9}, 300, 400),
    ]
    vips, routes = dataplane.counters(found, {})
    assert isinstance(vips, Table)
    assert isinstance(routes, Table)
    assert [[cell.text for cell in row] for row in routes.rows] == [
        ["192.0.2.80", "127", "9000"],
        ["192.0.2.81", "300", "400"],
    ]
    assert "127" not in text_of((vips,))


def test_counters_of_a_dataplane_without_routes_have_no_table_of_them() -> None:
    assert len(dataplane.counters([api.VipCounters(WEB, {"first": 5})], {})) == 1


def test_the_dataplane_shows_servers_without_a_route_and_lost_memory() -> None:
    found = api.DataplaneSnapshot(
        "vpp", True, False, None, None, (), "", unrouted=(IPv4Address("198.51.100.1"),), lost_bytes=3 * 2**19
    )
    text = text_of(dataplane.dataplane(found, 0.0))
    assert re.search(r"no route to +198\.51\.100\.1", text)
    assert re.search(r"memory lost +1\.5 MiB, by VIPs removed", text)
