"""Problems of meaning: right in form, wrong in sense."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import attrs
import pytest

from maglev.api import option
from maglev.config import PluginSet
from maglev.plugin import PluginProblem
from tests.config.fakes import ALL, FakeChecker
from tests.config.wording import MINIMAL, complaints, loaded, refused

NO_NAME = "is not a name: use 1 to 200 printable characters, with blanks only within"

FRONTEND = "{address: %s, protocol: %s, port: %d, pools: [{name: p, backends: {%s: {}}}]}"


def with_frontends(*frontends: str, backends: str = "a: {address: 192.0.2.1}, b: {address: 2001:db8::2}") -> str:
    lines = "\n".join(f"    f{n}: {frontend}" for n, frontend in enumerate(frontends))
    return f"maglev:\n  backends: {{{backends}}}\n  frontends:\n{lines}\n"


def only(text: str, plugins: PluginSet = ALL) -> str:
    error = refused(text, plugins)
    assert error.status == 2
    (problem,) = error.problems
    assert problem.line > 0
    return f"{problem.path}: {problem.message}"


@pytest.mark.parametrize(
    "old,new,message",
    [
        ("b: {}}", "bb: {}}", "maglev.frontends.www.pools[0].backends.bb: there is no backend 'bb'; did you mean 'b'?"),
        (
            "a: {address: 192.0.2.1, healthcheck: web}",
            "a: {address: 192.0.2.1, healthcheck: webb}",
            "maglev.backends.a.healthcheck: there is no health check 'webb'; did you mean 'web'?",
        ),
        (
            "a: {},",
            "a: {weight: 101},",
            "maglev.frontends.www.pools[0].backends.a.weight: 101 is out of range: 0 to 100 is allowed",
        ),
        (
            "a: {},",
            "a: {weight: -1},",
            "maglev.frontends.www.pools[0].backends.a.weight: -1 is out of range: 0 to 100 is allowed",
        ),
        (
            "{a: {}, b: {}}",
            "{}",
            "maglev.frontends.www.pools[0].backends: the pool 'primary' is empty: it needs at least one backend",
        ),
        (
            "\n        - {name: primary, backends: {a: {}, b: {}}}",
            " []",
            "maglev.frontends.www.pools: the list of pools is empty: a frontend needs at least one",
        ),
        (
            "b: {}}}",
            "b: {}}}\n        - {name: primary, backends: {a: {}}}",
            "maglev.frontends.www.pools[1].name: the frontend has two pools 'primary'",
        ),
        (
            "name: primary",
            "name: 'a '",
            f"maglev.frontends.www.pools[0].name: 'a ' {NO_NAME}",
        ),
        (
            "port: 80}",
            "port: 80, probe-ipv4-src: 2001:db8::9}",
            "maglev.healthchecks.web.probe-ipv4-src: must be an IPv4 address; 2001:db8::9 is of the other family",
        ),
        (
            "port: 80}",
            "port: 80, probe-ipv6-src: 192.0.2.9}",
            "maglev.healthchecks.web.probe-ipv6-src: must be an IPv6 address; 192.0.2.9 is of the other family",
        ),
        (", port: 80}", "}", "maglev.healthchecks.web.port: the key 'port' is missing: a check of type http needs one"),
        ("port: 80}", "port: 0}", "maglev.healthchecks.web.port: 0 is out of range: 1 to 65535 is allowed"),
        ("port: 80}", "port: 80, rise: 0}", "maglev.healthchecks.web.rise: 0 is out of range: 1 to 1000 is allowed"),
        (
            "port: 80}",
            "port: 80, interval: 0}",
            "maglev.healthchecks.web.interval: 0s is out of range: 10ms to 24h is allowed",
        ),
        ("port: 80\n", "port: 65536\n", "maglev.frontends.www.port: 65536 is out of range: 0 to 65535 is allowed"),
        (
            "protocol: tcp",
            "protocol: any",
            "maglev.frontends.www.port: port 80 needs `protocol: tcp` or `udp`: `any` is for all ports",
        ),
        (
            "address: 203.0.113.80",
            "address: 0.0.0.0",
            "maglev.frontends.www.address: 0.0.0.0 is not the address of a host",
        ),
        (
            "address: 192.0.2.2,",
            "address: 192.0.2.1,",
            (
                "maglev.frontends.www.pools[0].backends.b: "
                "backends 'a' and 'b' have the same address, 192.0.2.1: use only one of them here"
            ),
        ),
        (
            "address: 192.0.2.2,",
            "address: 2001:db8::2,",
            (
                "maglev.frontends.www.pools[0].backends.b: backend 'b' has an IPv6 address and 'a' an IPv4 one: "
                "the backends of a frontend, over all its pools, must be of one family"
            ),
        ),
        (
            "type: http,",
            "type: gopher,",
            "maglev.healthchecks.web.type: there is no type 'gopher'; installed: http, https, icmp or tcp",
        ),
        ("type: http,", "type: htp,", "maglev.healthchecks.web.type: there is no type 'htp'; did you mean 'http'?"),
        (
            "port: 80}",
            'port: 80, params: {response-regexp: "("}}',
            "maglev.healthchecks.web.params: response-regexp: missing ), unterminated subpattern at position 0",
        ),
        (
            "port: 80}",
            "port: 80, params: {response-code: 2xx}}",
            (
                "maglev.healthchecks.web.params.response-code: "
                "'2xx' is no status or range of statuses: 200-299,304 is allowed"
            ),
        ),
        (
            "maglev:",
            "maglev:\n  exporters: {carbon: {}}",
            "maglev.exporters.carbon: there is no exporter 'carbon'; installed: feed, grpc or prometheus",
        ),
        (
            "maglev:",
            "maglev:\n  dataplane: ipvs",
            "maglev.dataplane: there is no dataplane 'ipvs'; installed: memory or vpp",
        ),
        (
            "maglev:",
            "maglev:\n  healthchecker: {transition-history: 0}",
            "maglev.healthchecker.transition-history: 0 is out of range: 1 to 10000 is allowed",
        ),
    ],
)
def test_wrong_sense_is_refused(old: str, new: str, message: str) -> None:
    assert old in MINIMAL
    assert only(MINIMAL.replace(old, new, 1)) == message


@pytest.mark.parametrize(
    "lb,message",
    [
        (
            "startup-min-delay: 40s",
            "startup-max-delay: must not be below startup-min-delay; set both to 0 for no warm-up",
        ),
        ("startup-min-delay: 1s, startup-max-delay: 0", "startup-max-delay: must not be below startup-min-delay"),
        ("new-flow-table-length: 1000", "1000 is not allowed: a power of two from 16 to 65536 is"),
        ("new-flow-table-length: 8", "8 is not allowed: a power of two from 16 to 65536 is"),
        ("new-flow-table-length: 131072", "131072 is not allowed"),
        ("sticky-buckets-per-core: 3", "3 is not allowed: a power of two from 1 to 33554432 is"),
        ("flow-timeout: 500ms", "500ms is out of range: 1s to 2m is allowed"),
        ("flow-timeout: 121s", "2m1s is out of range: 1s to 2m is allowed"),
        ("flow-timeout: 1500ms", "1.5s is not in whole seconds"),
        ("weight-step: 0", "0 is out of range: 1 to 100 is allowed"),
        ("weight-step: 101", "101 is out of range: 1 to 100 is allowed"),
        ("ipv4-src-address: 2001:db8::1", "must be an IPv4 address; 2001:db8::1 is of the other family"),
    ],
)
def test_wrong_lb_is_refused(lb: str, message: str) -> None:
    assert message in only(f"maglev: {{memory: {{lb: {{{lb}}}}}}}")


def test_no_warm_up_is_allowed() -> None:
    lb = loaded("maglev: {memory: {lb: {startup-min-delay: 0, startup-max-delay: 0s}}}").lb
    assert lb.startup_max_delay == timedelta()


def test_vpp_needs_both_source_addresses_and_memory_none() -> None:
    assert complaints("maglev: {vpp: {lb: {ipv4-src-address: 192.0.2.1}}}") == [
        (
            "maglev.vpp.lb.ipv6-src-address: the key 'ipv6-src-address' is missing: "
            "the dataplane vpp needs both source addresses"
        ),
    ]
    assert len(complaints("maglev: {dataplane: vpp}")) == 2
    assert loaded("maglev: {memory: {}}").dataplane == "memory"


LINK_LOCAL = "a: {address: fe80::1%eth0}, b: {address: 'fe80::2%eth0'}, c: {address: fe80::1%eth1}"
SOURCES = "  vpp: {lb: {ipv4-src-address: 192.0.2.1, ipv6-src-address: 2001:db8::1}}\n"


def test_link_local_backends_may_serve_where_the_dataplane_can_reach_them() -> None:
    text = with_frontends(FRONTEND % ("2001:db8::80", "tcp", 80, "a: {}, b"), backends=LINK_LOCAL)
    assert loaded(text).backends["a"].address == ip_address("fe80::1%eth0")
    assert complaints(text.replace("maglev:\n", f"maglev:\n  dataplane: vpp\n{SOURCES}")) == [
        (
            f"maglev.frontends.f0.pools[0].backends.{name}: backend '{name}' has the address {address}, and the "
            "dataplane vpp cannot send to a link-local address: use a routed address, or leave it out of the "
            "pools to only probe it"
        )
        for name, address in (("a", "fe80::1%eth0"), ("b", "fe80::2%eth0"))
    ]
    unused = f"maglev:\n  dataplane: vpp\n{SOURCES}  backends: {{{LINK_LOCAL}}}\n"
    assert len(loaded(unused).backends) == 3


def test_a_backend_on_the_host_itself_may_serve_where_the_dataplane_can_reach_it() -> None:
    text = with_frontends(FRONTEND % ("2001:db8::80", "tcp", 80, "a"), backends='a: {address: "::1"}')
    assert loaded(text).backends["a"].address == ip_address("::1")
    assert only(text.replace("maglev:\n", f"maglev:\n  dataplane: vpp\n{SOURCES}")) == (
        "maglev.frontends.f0.pools[0].backends.a: backend 'a' has the address ::1, and the dataplane vpp cannot send "
        "to the host itself: use a routed address, or leave it out of the pools to only probe it"
    )


@pytest.mark.parametrize(
    "text, message",
    [
        ('frontends: {f: {address: "::192.0.2.1", pools: []}}', "frontends.f.address: ::c000:201 is an IPv4 address"),
        ('frontends: {f: {address: "::1", pools: []}}', "frontends.f.address: ::1 is the host itself"),
        ('backends: {a: {address: "::192.0.2.1"}}', "backends.a.address: ::c000:201 is an IPv4 address"),
        ('backends: {a: {address: "::0.0.0.2"}}', "backends.a.address: ::2 is an IPv4 address"),
        (
            "vpp: {lb: {ipv4-src-address: 255.255.255.255}}",
            "vpp.lb.ipv4-src-address: 255.255.255.255 is not the address",
        ),
        ("vpp: {lb: {ipv4-src-address: 0.0.0.0}}", "vpp.lb.ipv4-src-address: 0.0.0.0 is not the address of a host"),
        ("vpp: {lb: {ipv4-src-address: 224.0.0.5}}", "vpp.lb.ipv4-src-address: 224.0.0.5 is not the address of a host"),
        ('vpp: {lb: {ipv6-src-address: "::"}}', "vpp.lb.ipv6-src-address: :: is not the address of a host"),
        ('vpp: {lb: {ipv6-src-address: "::192.0.2.1"}}', "vpp.lb.ipv6-src-address: ::c000:201 is an IPv4 address"),
    ],
)
def test_what_a_dataplane_would_take_for_another_address_is_refused(text: str, message: str) -> None:
    assert any(each.startswith(f"maglev.{message}") for each in complaints(f"maglev: {{dataplane: vpp, {text}}}"))


def test_one_link_local_address_on_two_links_serves_once_in_a_frontend() -> None:
    frontends = [FRONTEND % ("2001:db8::80", "tcp", port, who) for port, who in ((80, "a"), (81, "c"))]
    assert len(loaded(with_frontends(*frontends, backends=LINK_LOCAL)).frontends) == 2
    both = FRONTEND % ("2001:db8::80", "tcp", 80, "a: {}, c")
    assert "backends 'a' and 'c' have the same address, fe80::1%eth1: use only one of them here" in only(
        with_frontends(both, backends=LINK_LOCAL)
    )


@pytest.mark.parametrize(
    "text,message",
    [
        (
            "backends: {a: {address: fe80::1}}",
            "backends.a.address: fe80::1 is a link-local address and needs a zone: fe80::1%eth0",
        ),
        (
            "healthchecks: {x: {type: tcp, port: 1, probe-ipv6-src: fe80::9}}",
            "healthchecks.x.probe-ipv6-src: fe80::9 is a link-local address and needs a zone: fe80::9%eth0",
        ),
        (
            "backends: {a: {address: 2001:db8::1%eth0}}",
            "backends.a.address: '2001:db8::1%eth0' has a zone, which only link-local addresses have",
        ),
        (
            "memory: {lb: {ipv6-src-address: fe80::1%eth0}}",
            "memory.lb.ipv6-src-address: fe80::1%eth0 has a zone: use a routed address without one",
        ),
    ],
    ids=["backend", "source", "other", "gre"],
)
def test_zones_stand_where_they_are_needed_and_nowhere_else(text: str, message: str) -> None:
    assert only(f"maglev: {{{text}}}") == f"maglev.{message}"


def test_two_frontends_with_one_vip_are_refused() -> None:
    frontend = FRONTEND % ("203.0.113.1", "tcp", 80, "a")
    assert only(with_frontends(frontend, frontend)) == (
        "maglev.frontends.f1.address: frontends 'f0' and 'f1' have the same VIP, 203.0.113.1:80/tcp"
    )


def test_one_address_may_have_many_ports_and_protocols() -> None:
    frontends = [FRONTEND % ("203.0.113.1", *key, "a") for key in (("tcp", 80), ("udp", 80), ("tcp", 443))]
    assert len(loaded(with_frontends(*frontends)).frontends) == 3


@pytest.mark.parametrize("turned", [False, True])
def test_all_ports_and_one_port_on_an_address_exclude_each_other(turned: bool) -> None:
    frontends = [FRONTEND % ("203.0.113.1", "tcp", 80, "a"), FRONTEND % ("203.0.113.1", "any", 0, "a")]
    assert "all ports of 203.0.113.1" in only(with_frontends(*(reversed(frontends) if turned else frontends)))


def test_two_all_port_frontends_are_one_vip_whatever_their_protocols_say() -> None:
    frontends = [FRONTEND % ("203.0.113.1", protocol, 0, "a") for protocol in ("tcp", "udp")]
    assert only(with_frontends(*frontends)).endswith("frontends 'f0' and 'f1' have the same VIP, 203.0.113.1/any")


def test_one_address_with_two_encapsulations_is_refused() -> None:
    frontends = [FRONTEND % ("203.0.113.1", "tcp", port, who) for port, who in ((80, "a"), (81, "b"))]
    assert "all frontends of an address must have the same encapsulation" in only(with_frontends(*frontends))


def test_one_backend_in_two_pools_of_a_frontend_is_right() -> None:
    pools = "[{name: p, backends: {a: {weight: 1}}}, {name: q, backends: {a: {}}}]"
    text = with_frontends(f"{{address: 203.0.113.1, pools: {pools}}}", backends="a: {address: 192.0.2.1}")
    assert len(loaded(text).frontends["f0"].pools) == 2


def test_families_must_agree_over_all_pools() -> None:
    pools = "[{name: p, backends: {a: {}}}, {name: q, backends: {b: {}}}]"
    assert "must be of one family" in only(with_frontends(f"{{address: 203.0.113.1, pools: {pools}}}"))


@pytest.mark.parametrize(
    "text,message",
    [
        (
            "maglev: {healthchecks: {h: {type: http, port: 1}}}",
            "type http needs plugin maglev-http, which is not installed",
        ),
        ("maglev: {vpp: {}}", "dataplane vpp needs plugin maglev-vpp, which is not installed"),
        ("maglev: {exporters: {grpc: {}}}", "exporter grpc needs plugin maglev-grpc, which is not installed"),
    ],
)
def test_plugin_to_install_is_named(text: str, message: str) -> None:
    bare = PluginSet(dataplanes={"memory": ALL.dataplanes["memory"]})
    assert message in only(text, bare)


def test_plugin_that_failed_to_load_is_named_with_the_cause() -> None:
    failed = (PluginProblem("http", "maglev-http", "ImportError: no h11"), PluginProblem("redis", "acme", "boom"))
    plugins = attrs.evolve(ALL, checkers={}, problems=failed)
    text = "maglev: {healthchecks: {h: {type: http, port: 1}, r: {type: redis, port: 1}, x: {type: odd, port: 1}}}"
    assert complaints(text, plugins) == [
        "maglev.healthchecks.h.type: type http needs plugin maglev-http, which failed to load: ImportError: no h11",
        "maglev.healthchecks.r.type: type redis needs plugin acme, which failed to load: boom",
        "maglev.healthchecks.x.type: there is no type 'odd'; installed: none (failed to load: maglev-http, acme)",
    ]


def below_ten(_instance: object, _attribute: attrs.Attribute[Any], value: int) -> None:
    if value >= 10:
        raise ValueError(f"{value} is too much: below 10 is allowed")


def test_what_validators_say_reaches_the_reader_all_of_it() -> None:
    @attrs.frozen
    class Options:
        one: int = option(1, help="", validator=below_ten)
        two: int = option(1, help="", validator=below_ten)
        three: str = option("a", help="", validator=attrs.validators.in_(["a", "b"]))

    class Picky(FakeChecker):
        name = "picky"

    Picky.Options = Options
    text = "maglev: {healthchecks: {h: {type: picky, port: 1, params: {one: 10, two: 20, three: c}}}}"
    error = refused(text, PluginSet({"picky": Picky}, ALL.dataplanes))
    assert error.status == 2
    assert [problem.message for problem in error.problems[:2]] == [
        "10 is too much: below 10 is allowed",
        "20 is too much: below 10 is allowed",
    ]
    assert "'three' must be in" in error.problems[2].message


def test_plugin_whose_constructor_breaks_is_a_problem_not_a_crash() -> None:
    class Broken(FakeChecker):
        name = "broken"

        def __init__(self, options: object) -> None:
            raise TypeError("oops")

    text = "maglev: {healthchecks: {h: {type: broken, port: 1}}}"
    assert only(text, PluginSet({"broken": Broken}, ALL.dataplanes)).endswith("params: TypeError: oops")


def test_checker_made_on_trial_is_closed() -> None:
    closed: list[str] = []

    class Closing(FakeChecker):
        name = "closing"

        def close(self) -> None:
            closed.append(self.name)

    loaded("maglev: {healthchecks: {h: {type: closing, port: 1}}}", PluginSet({"closing": Closing}, ALL.dataplanes))
    assert closed == ["closing"]


@pytest.mark.parametrize("name", ["''", "'a '", "' a'", "' '", '"a\\tb"', '"a\\u00a0b"', '"a\\nb"', "x" * 201])
def test_names_that_nobody_could_type_are_refused(name: str) -> None:
    assert NO_NAME in only(f"maglev: {{backends: {{? {name} : {{address: 192.0.2.1}}}}}}")


def test_names_may_have_blanks_between_words() -> None:
    text = MINIMAL.replace("www:", "my web site:").replace(" a:", " 'rack 1':").replace("{a:", "{'rack 1':")
    config = loaded(text.replace("name: primary", "name: the first"))
    assert list(config.frontends) == ["my web site"]
    assert config.frontends["my web site"].pools[0].name == "the first"
    assert "rack 1" in config.backends


def test_keys_for_anchors_are_not_read() -> None:
    text = """
    x-checks: {quick: &quick {type: http, port: 80, interval: 1s}}
    maglev:
      x-more: [1, {any: thing}]
      healthchecks: {web: *quick}
    """
    assert loaded(text).healthchecks["web"].port == 80
    assert "unknown key 'y-more'" in str(refused("maglev: {y-more: 1}"))
    assert "unknown key 'x-a'" in str(refused("maglev: {healthchecks: {h: {type: http, port: 80, x-a: 1}}}"))


def test_a_plugin_that_is_switched_off_is_not_called_missing() -> None:
    plugins = PluginSet(ALL.checkers, {"memory": ALL.dataplanes["memory"]}, switched_off={"maglev-vpp", "vpp", "own"})
    for name in ("vpp", "own"):
        (told,) = complaints(f"maglev: {{dataplane: {name}}}", plugins)
        assert "which is installed and switched off: MAGLEV_LOAD_PLUGINS leaves it out" in told
