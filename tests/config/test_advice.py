"""Valid configurations that are probably mistakes give warnings."""

from __future__ import annotations

from pathlib import Path

import pytest

from maglev.api import Checker
from maglev.config import PluginSet, load
from tests.config.fakes import ALL, FakeChecker
from tests.config.wording import MINIMAL, warned

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_plain_configuration_has_no_warnings() -> None:
    assert warned(MINIMAL) == []


@pytest.mark.parametrize("name", ["maglevd", "minimal"])
def test_examples_have_no_warnings(name: str) -> None:
    assert load(EXAMPLES / f"{name}.yaml", ALL).warnings == ()


@pytest.mark.parametrize(
    "old,new,message",
    [
        (
            "{a: {}, b: {}}",
            "{a: {weight: 0}, b: {weight: 0}}",
            "maglev.frontends.www.pools[0].backends: all weights of pool 'primary' are 0",
        ),
        ("{a: {}, b: {}}", "{a: {}}", "maglev.backends.b: backend 'b' is in no pool"),
        (
            "port: 80}",
            "port: 80}\n    old: {type: tcp, port: 1}",
            "maglev.healthchecks.old: health check 'old' is used by no backend",
        ),
        ("      port: 80\n", "", "maglev.frontends.www.protocol: tcp without a port means `any`"),
        ("type: http,", "type: icmp,", "maglev.healthchecks.web.port: a check of type icmp has no use for a port"),
        ("type: http,", "type: https,", "maglev.healthchecks.web.params: neither host nor server-name: no SNI is sent"),
        (
            "port: 80}",
            "port: 80, interval: 1s}",
            "maglev.healthchecks.web.timeout: 1.5s is not below the interval (1s)",
        ),
        (
            "name: primary,",
            "name: primary, min-up: 3,",
            "maglev.frontends.www.pools[0].min-up: pool 'primary' can never have 3",
        ),
        (
            "maglev:",
            "maglev:\n  dataplane: memory\n  vpp: {}",
            "maglev.vpp: this section is not used: the dataplane is memory",
        ),
        (
            "maglev:",
            "maglev:\n  memory: {lb: {new-flow-table-length: 64}}",
            "maglev.frontends.www.pools[0].backends: the weights add up to 20 entries (step 10) in a table of 64",
        ),
    ],
)
def test_warning(old: str, new: str, message: str) -> None:
    assert old in MINIMAL
    assert any(line.startswith(message) for line in warned(MINIMAL.replace(old, new, 1)))


def test_a_timeout_above_the_fast_interval_is_usual() -> None:
    assert warned(MINIMAL.replace("port: 80}", "port: 80, fast-interval: 500ms, down-interval: 1s}", 1)) == []


def test_a_quarter_of_the_table_is_not_yet_too_much() -> None:
    assert warned(MINIMAL.replace("maglev:", "maglev:\n  memory: {lb: {new-flow-table-length: 128}}", 1)) == []


def test_advice_that_fails_refuses_nothing() -> None:
    class Muddled(FakeChecker):
        name = "http"

        @classmethod
        def advice(cls, options: object) -> tuple[str, ...]:
            raise RuntimeError("no idea")

    checkers: dict[str, type[Checker]] = {"http": Muddled}
    assert "advice failed: RuntimeError: no idea" in warned(MINIMAL, PluginSet(checkers, ALL.dataplanes))[0]


def test_a_backend_with_the_address_of_a_vip_is_warned_about() -> None:
    (told,) = warned(MINIMAL.replace("203.0.113.80", "192.0.2.2"))
    assert told.startswith("maglev.frontends.www.address: backend 'b' has the VIP's own address, 192.0.2.2")


@pytest.mark.parametrize("other", ["web\u200b", "w\u0435b", "\uff57eb"])
def test_names_that_look_alike_are_warned_about(other: str) -> None:
    check = f'    "{other}": {{type: http, port: 81}}\n'
    backend = f'    c: {{address: 192.0.2.3, healthcheck: "{other}"}}\n'
    text = MINIMAL.replace("  backends:\n", f"{check}  backends:\n{backend}", 1).replace("b: {}}}", "b: {}, c: {}}}")
    (told,) = warned(text)
    assert "looks like 'web', but is another name" in told


def test_a_name_with_what_nobody_sees_is_warned_about() -> None:
    (told,) = warned(MINIMAL.replace("www:", '"w\u202ewww":'))
    assert "has invisible characters: U+202E" in told
