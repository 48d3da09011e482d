"""The dataplane that a configuration means, and the options in plugins' sections."""

from __future__ import annotations

from datetime import timedelta

import pytest

from maglev.config import PluginSet, collect_flag_values, flagged_options
from tests.config.fakes import ALL, FakeExporter, FeedOptions, GrpcOptions, VppOptions
from tests.config.wording import complaints, loaded, warned

LB = "lb: {ipv4-src-address: 192.0.2.1, ipv6-src-address: 2001:db8::1, new-flow-table-length: 64}"
OFF = collect_flag_values(flagged_options(ALL), {"vpp-api-addr": ""}, {})


@pytest.mark.parametrize(
    "text,dataplane",
    [
        ("maglev: {}", "memory"),
        ("maglev: {memory: {}}", "memory"),
        (f"maglev: {{vpp: {{{LB}}}}}", "vpp"),
        (f"maglev: {{memory: {{}}, vpp: {{{LB}}}}}", "vpp"),
        (f"maglev: {{dataplane: memory, vpp: {{{LB}}}}}", "memory"),
        (f"maglev: {{dataplane: vpp, memory: {{}}, vpp: {{{LB}}}}}", "vpp"),
        (f"maglev: {{vpp: {{{LB}, api-addr: ''}}}}", "memory"),
    ],
)
def test_dataplane_is_chosen(text: str, dataplane: str) -> None:
    assert loaded(text).dataplane == dataplane


def test_switched_off_dataplane_leaves_its_lb_to_memory() -> None:
    config = loaded(f"maglev: {{vpp: {{{LB}}}}}", flag_values=OFF)
    assert config.dataplane == "memory"
    assert config.lb.new_flow_table_length == 64


def test_own_lb_of_memory_wins_over_that_of_what_is_switched_off() -> None:
    text = f"maglev: {{memory: {{lb: {{new-flow-table-length: 128}}}}, vpp: {{{LB}}}}}"
    assert loaded(text, flag_values=OFF).lb.new_flow_table_length == 128


def test_what_is_switched_off_is_checked_and_not_warned_about() -> None:
    assert warned(f"maglev: {{vpp: {{{LB}, api-addr: ''}}}}") == []
    assert complaints(f"maglev: {{vpp: {{{LB}, api-adr: ''}}}}", flag_values=OFF) == [
        "maglev.vpp.api-adr: unknown key 'api-adr'; did you mean 'api-addr'?"
    ]


def test_dataplane_that_is_both_named_and_switched_off_is_refused() -> None:
    assert complaints(f"maglev: {{dataplane: vpp, vpp: {{{LB}}}}}", flag_values=OFF) == [
        "maglev.dataplane: dataplane vpp is switched off: its address is empty"
    ]


def test_section_of_a_dataplane_holds_its_options_beside_lb() -> None:
    config = loaded(f"maglev: {{vpp: {{{LB}, call-timeout: 1500ms}}}}")
    assert config.dataplane_options == VppOptions(call_timeout=timedelta(seconds=1.5))


def test_sections_that_are_not_used_are_checked_all_the_same() -> None:
    assert complaints("maglev: {dataplane: memory, vpp: {lb: {weight-step: x}, y: 1}}") == [
        "maglev.vpp.lb.weight-step: must be a whole number or auto, not the string 'x'",
        "maglev.vpp.y: unknown key 'y'; known here: api-addr, stats-addr, call-timeout",
    ]


def test_installed_exporters_have_options_whether_named_or_not() -> None:
    config = loaded("maglev: {exporters: {prometheus: {addr: ''}}}")
    assert config.exporters["grpc"] == GrpcOptions()
    assert config.exporters["prometheus"].addr == ""


def test_exporter_that_needs_an_option_is_left_out_until_it_is_named() -> None:
    assert "feed" not in loaded("maglev: {}").exporters
    assert loaded("maglev: {exporters: {feed: {target: x}}}").exporters["feed"] == FeedOptions("x")
    assert complaints("maglev: {exporters: {feed: }}") == ["maglev.exporters.feed: the key 'target' is missing"]


class Broken(FakeExporter):
    """An exporter that cannot be made."""

    name = "broken"

    def __init__(self, options: object) -> None:
        super().__init__(options)
        raise ValueError("cannot be created")


def test_exporter_that_cannot_be_made_is_an_error_only_where_it_is_asked_for() -> None:
    plugins = PluginSet(ALL.checkers, ALL.dataplanes, {"broken": Broken})
    assert warned("maglev: {}", plugins) == ["maglev.exporters.broken: cannot be created"]
    assert "broken" not in loaded("maglev: {}", plugins).exporters
    assert complaints("maglev: {exporters: {broken: {}}}", plugins) == ["maglev.exporters.broken: cannot be created"]
