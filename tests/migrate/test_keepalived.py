"""keepalived.conf: virtual servers, their groups, real servers and every kind of check."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from maglev.migrate.keepalived import lines, vips
from maglev.migrate.keepalived.lines import without_comment

Import = Callable[..., Any]

HERE = Path(__file__).parent
S = timedelta(seconds=1)


def service(*checks: str, head: str = "203.0.113.80 80", more: str = "", server: str = "198.51.100.1 80") -> str:
    """A virtual server with one real server."""
    inside = "\n".join(checks)
    return f"virtual_server {head} {{\n{more}\nreal_server {server} {{\n{inside}\n}}\n}}\n"


def test_the_sample_becomes_what_it_says(keepalived: Import) -> None:
    made = keepalived((HERE / "keepalived.conf").read_text())
    frontends = made.config.frontends
    shop = frontends["shop-203.0.113.80-443"]
    assert (str(shop.address), shop.port, shop.src_ip_sticky, shop.flush_on_down) == ("203.0.113.80", 443, True, True)
    assert [pool.name for pool in shop.pools] == ["primary", "sorry"]
    assert made.members("shop-203.0.113.80-443") == {"198.51.100.11": 3, "198.51.100.12": 1}
    assert {str(one.address) for one in frontends.values() if one.port == 443} == {
        f"203.0.113.{last}" for last in (80, 84, 85, 86)
    }
    check = made.check_of("198.51.100.11")
    assert (check.type, check.port, check.interval, check.fast_interval) == ("https", 443, 10 * S, 1.5 * S)
    assert (check.timeout, check.rise, check.fall) == (4 * S, 1, 3)
    assert (check.params.path, check.params.host) == ("/health?deep=1", "shop.example.org")
    assert (check.params.response_code, check.params.response_regexp) == ("200-204,301", "(?im)^ok")
    assert check.params.insecure_skip_verify
    assert frontends["203.0.113.53-53"].protocol == "udp"
    assert made.members("203.0.113.53-53") == dict.fromkeys((f"198.51.100.{n}" for n in (31, 32, 33)), 100)
    assert made.check_of("198.51.100.41").params.expect == "^220[ -]"
    assert made.check_of("198.51.100.43").type == "icmp"
    assert made.config.backends["198.51.100.99"].healthcheck is None


def test_everything_that_is_lost_is_told_with_its_line(keepalived: Import) -> None:
    text = (HERE / "keepalived.conf").read_text()
    told = {place.line for one in keepalived(text).imported.findings for place in one.places}
    numbered = text.splitlines()
    lost = ("vrrp_instance", "fwmark", "lb_kind", "digest", "notify_down", "quorum_down", "uthreshold", "misc_path")
    wanted = {number for number, line in enumerate(numbered, 1) if line.split() and line.split()[0] in lost}
    # Of a URL that is left out as a whole its beginning is told.
    assert {number for number in wanted if "digest" not in numbered[number - 1]} <= told


@pytest.mark.parametrize(
    "said,check",
    [
        ("TCP_CHECK { }", {"type": "tcp", "port": 80}),
        ("TCP_CHECK {\nconnect_port 81\n}", {"type": "tcp", "port": 81}),
        ("PING_CHECK { }", {"type": "icmp", "port": None}),
        ("UDP_CHECK {\npayload 00\n}", {"type": "icmp", "port": None}),
        ("BFD_CHECK {\nname peer\n}", {"type": "icmp", "port": None}),
        ("MISC_CHECK {\nmisc_path /bin/true\n}", {"type": "tcp", "port": 80, "fall": 1}),
        ("FILE_CHECK {\ntrack_file f\n}", {"type": "tcp", "port": 80}),
        ("SMTP_CHECK { }", {"type": "tcp", "port": 80}),
        ("DNS_CHECK { }", {"type": "tcp", "port": 80, "fall": 4, "fast_interval": None}),
        ("HTTP_GET {\nurl {\npath /x\n}\n}", {"type": "http", "port": 80, "fast_interval": 3 * S}),
        ("SSL_GET {\nurl {\npath /x\n}\n}", {"type": "https", "port": 80, "fast_interval": 3 * S}),
    ],
)
def test_each_kind_of_check_has_a_counterpart(keepalived: Import, said: str, check: dict[str, Any]) -> None:
    made = keepalived(service(said)).check_of("198.51.100.1")
    wanted = {"interval": 60 * S, "timeout": 5 * S, "rise": 1, "fall": 2, "fast_interval": 1 * S} | check
    assert {key: getattr(made, key) for key in wanted} == wanted


def test_a_server_without_a_check_is_always_up(keepalived: Import) -> None:
    assert keepalived(service("weight 5")).check_of("198.51.100.1") is None


def test_settings_of_checks_come_from_inside_out(keepalived: Import) -> None:
    text = service(
        "delay_loop 20\nTCP_CHECK {\nretry 4\n}",
        more="delay_loop 7\nconnect_timeout 2.5\nretry 9\ndelay_before_retry 0.2",
    )
    check = keepalived(text).check_of("198.51.100.1")
    assert (check.interval, check.timeout, check.fall, check.fast_interval) == (20 * S, 2.5 * S, 5, 0.2 * S)


def test_of_several_checks_the_one_that_tells_most_is_taken(keepalived: Import) -> None:
    made = keepalived(service("TCP_CHECK { }", "HTTP_GET {\nurl {\npath /\n}\n}", "PING_CHECK { }"))
    assert made.check_of("198.51.100.1").type == "http"
    assert all(made.found(other) for other in ("TCP_CHECK", "PING_CHECK"))


def test_a_check_has_its_source_and_its_port(keepalived: Import) -> None:
    made = keepalived(service("TCP_CHECK {\nbindto 192.0.2.9\nbind_port 1000\nconnect_ip 198.51.100.2\n}"))
    assert made.check_of("198.51.100.1").probe_ipv4_src == ip_address("192.0.2.9")
    assert made.found("TCP_CHECK bind_port") == ["6: left out: probes take any free port"]
    assert made.found("connect_ip 198.51.100.2") == ["7: changed: maglevd probes a server's own address, 198.51.100.1"]


def test_what_re2_does_not_take_is_left_out_and_told(keepalived: Import) -> None:
    made = keepalived(service(r"HTTP_GET {" "\nurl {\n" r'regex "(?<!not )ok"' "\nstatus_code 200\n}\n}"))
    params = made.check_of("198.51.100.1").params
    assert (params.response_regexp, params.response_code) == ("", "200")
    [finding] = made.found("response-regexp of health check http-80")
    assert "RE2" in finding
    assert '# response-regexp: "(?<!not )ok"' in made.imported.text


@pytest.mark.parametrize(
    "said,sticky",
    [
        ("lb_algo sh", True),
        ("lb_algo sh\nsh-port", False),
        ("lb_algo mh", True),
        ("lvs_sched mh\nmh-port", False),
        ("lb_algo wrr", False),
        ("lb_algo rr\npersistence_timeout 50", True),
    ],
)
def test_a_client_keeps_its_server_where_it_did(keepalived: Import, said: str, sticky: bool) -> None:
    assert keepalived(service(more=said)).config.frontends["203.0.113.80-80"].src_ip_sticky is sticky


def test_a_failover_scheduler_becomes_pools_by_weight(keepalived: Import) -> None:
    text = """virtual_server 203.0.113.80 80 {
        lb_algo fo
        real_server 198.51.100.1 80 { weight 10 }
        real_server 198.51.100.2 80 { weight 30 }
    }"""
    pools = keepalived(text).config.frontends["203.0.113.80-80"].pools
    assert [list(pool.backends) for pool in pools] == [["198.51.100.2"], ["198.51.100.1"]]


def test_weights_above_100_are_brought_down(keepalived: Import) -> None:
    text = """virtual_server 203.0.113.80 80 {
        real_server 198.51.100.1 80 { weight 3000 }
        real_server 198.51.100.2 80 { weight 1500 }
        real_server 198.51.100.3 80 { weight 1 }
        real_server 198.51.100.4 80 { weight 0 }
    }"""
    made = keepalived(text)
    assert list(made.members("203.0.113.80-80").values()) == [100, 50, 1, 0]
    assert len(made.found("weight")) == 1


def test_inhibited_servers_keep_their_flows(keepalived: Import) -> None:
    assert keepalived(service("inhibit_on_failure")).config.frontends["203.0.113.80-80"].flush_on_down is False
    assert keepalived(service()).config.frontends["203.0.113.80-80"].flush_on_down is True


def test_a_quorum_is_min_up_where_there_is_a_sorry_server(keepalived: Import) -> None:
    servers = "\n".join(f"real_server 198.51.100.{n} 80 {{ weight 10 }}" for n in (1, 2, 3))
    text = f"virtual_server 203.0.113.80 80 {{\nquorum 20\nsorry_server 198.51.100.9 80\n{servers}\n}}"
    assert keepalived(text).config.frontends["203.0.113.80-80"].pools[0].min_up == 2
    made = keepalived(text.replace("sorry_server 198.51.100.9 80", ""))
    assert made.config.frontends["203.0.113.80-80"].pools[0].min_up == 1
    assert made.found("quorum") == ["2: left out: without a sorry_server it only starts programs"]


@pytest.mark.parametrize(
    "head,vips",
    [
        ("203.0.113.80", [("203.0.113.80", "any", 0)]),
        ("203.0.113.80 443", [("203.0.113.80", "tcp", 443)]),
        ("2001:db8::80 443", [("2001:db8::80", "tcp", 443)]),
    ],
)
def test_a_vip_has_an_address_and_a_port_or_all(
    keepalived: Import, head: str, vips: list[tuple[str, str, int]]
) -> None:
    server = "198.51.100.1 443" if "." in head else "2001:db8::1 443"
    frontends = keepalived(service(head=head, server=server)).config.frontends.values()
    assert [(str(one.address), one.protocol, one.port) for one in frontends] == vips


@pytest.mark.parametrize(
    "member,addresses",
    [
        ("203.0.113.1-3 80", ["203.0.113.1", "203.0.113.2", "203.0.113.3"]),
        ("203.0.113.254-203.0.114.1 80", ["203.0.113.254", "203.0.113.255", "203.0.114.0", "203.0.114.1"]),
        ("203.0.113.14/30 80", ["203.0.113.14", "203.0.113.15"]),
        ("fwmark 7", []),
        ("203.0.113.9-3 80", []),
    ],
)
def test_a_group_has_addresses_and_ranges(keepalived: Import, member: str, addresses: list[str]) -> None:
    text = f"virtual_server_group g {{\n{member}\n}}\n" + service(head="group g")
    made = keepalived(text)
    assert [str(one.address) for one in made.config.frontends.values()] == addresses
    assert bool(made.imported.findings) or addresses


def test_a_group_without_end_is_cut_and_told(keepalived: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vips, "MAX_VIPS", 9)
    made = keepalived("virtual_server_group g {\n10.0.0.0/8 80\n}\n" + service(head="group g"))
    assert len(made.config.frontends) == 9
    assert made.found("virtual_server group g") == ["4: left out: at most 9 VIPs are taken"]


def test_a_port_that_would_be_translated_is_told(keepalived: Import) -> None:
    made = keepalived(service(server="198.51.100.1 8080"))
    assert made.found("port 8080") == [
        "3: changed: ports are not translated: the server has to listen on the VIP's port 80"
    ]


def test_one_server_with_two_checks_is_two_backends(keepalived: Import) -> None:
    text = service("TCP_CHECK { }") + service("TCP_CHECK { }", head="203.0.113.80 443", server="198.51.100.1 443")
    made = keepalived(text)
    assert list(made.config.backends) == ["198.51.100.1", "198.51.100.1-443"]
    assert list(made.config.healthchecks) == ["tcp-80", "tcp-443"]


def test_two_services_with_one_vip_are_one_and_a_finding(keepalived: Import) -> None:
    made = keepalived(service() + service(server="198.51.100.2 80"))
    assert list(made.config.frontends) == ["203.0.113.80-80"]
    assert "the same VIP" in made.found("frontend 203.0.113.80-80-2")[0]


def test_sctp_has_no_counterpart(keepalived: Import) -> None:
    made = keepalived(service(more="protocol SCTP"))
    assert not made.config.frontends
    assert made.found("virtual_server 203.0.113.80 80")


# --- the language -------------------------------------------------------------------------------------------------


def test_variables_sequences_and_lists_are_resolved(keepalived: Import) -> None:
    text = r"""
    $BASE=198.51.${NET}
    $NET=100
    $SERVER= \
        real_server ${BASE}.${N} 80 { \
            weight ${W} \
        }
    virtual_server 203.0.113.80 80 {
        ~LST({N, W}, {1,10},{2,20}) $SERVER
        ~SEQx(X, 0x1a, 0x1b) real_server 2001:db8::${X} 80 { }
        ~SEQ(M, 3, 4) real_server 198.51.100.${M} 80 { weight 5 }
    }
    """
    made = keepalived(text)
    assert made.members("203.0.113.80-80") == {
        "198.51.100.1": 10, "198.51.100.2": 20, "198.51.100.3": 5, "198.51.100.4": 5
    }  # fmt: skip


def test_lines_for_one_host_depend_on_its_name(keepalived: Import) -> None:
    text = "@one $IP=203.0.113.1\n@^one $IP=203.0.113.2\n" + service(head="$IP 80")
    assert list(keepalived(text, config_id="one").config.frontends) == ["203.0.113.1-80"]
    assert list(keepalived(text, config_id="two").config.frontends) == ["203.0.113.2-80"]
    assert "--config-id" in keepalived(text).found("@")[0]


def test_included_files_are_read_where_they_stand(keepalived: Import) -> None:
    asked: list[tuple[str, str]] = []

    def include(pattern: str, file: str) -> list[tuple[str, str]]:
        asked.append((pattern, file))
        return [("sites/a.conf", service()), ("sites/b.conf", service(head="203.0.113.81 80"))]

    made = keepalived("include sites/*.conf\ninclude missing\n", include=include)
    assert asked == [("sites/*.conf", "the.conf"), ("missing", "the.conf")]
    assert "203.0.113.81-80:  # sites/b.conf:1" in made.imported.text


def test_a_file_that_includes_itself_ends(keepalived: Import) -> None:
    made = keepalived(service() + "include me", include=lambda *_: [("the.conf", "include me\n" + service())])
    assert list(made.config.frontends) == ["203.0.113.80-80"]


def test_variables_that_grow_without_end_are_cut(keepalived: Import) -> None:
    doubling = "\n".join(f"${chr(97 + n)}=${{{chr(98 + n)}}}${{{chr(98 + n)}}}" for n in range(25))
    made = keepalived(f"{doubling}\n" + service(head="${a} 80"))
    assert made.found("virtual_server")


def test_sequences_without_end_are_cut(keepalived: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINES", 1000)
    made = keepalived("~SEQ(A,1,100000) ~SEQ(B,1,100000) vrrp_script ${A}-${B} { }\n" + service())
    assert made.found("the rest")


@pytest.mark.parametrize(
    "line,text",
    [
        ("  weight 5   ! all of it", "weight 5"),
        ("misc_path \"/bin/x '!' #1\"  # why", "misc_path \"/bin/x '!' #1\""),
        (r"regex a\#b", "regex a#b"),
        ("# nothing", ""),
    ],
)
def test_comments_end_lines_and_not_quotes(line: str, text: str) -> None:
    assert without_comment(line) == text


def test_braces_may_stand_anywhere(keepalived: Import) -> None:
    made = keepalived(
        "virtual_server 203.0.113.80 80\n{\nreal_server 198.51.100.1 80 { weight 7 }\n"
        "real_server 198.51.100.2 80\n\n{\n weight 8\n}\n}"
    )
    assert made.members("203.0.113.80-80") == {"198.51.100.1": 7, "198.51.100.2": 8}


def test_a_block_without_end_is_told(keepalived: Import) -> None:
    made = keepalived("virtual_server 203.0.113.80 80 {\nreal_server 198.51.100.1 80 {\n")
    assert list(made.config.frontends) == ["203.0.113.80-80"]
    assert made.found("real_server")


def test_directives_that_nobody_knows_are_told(keepalived: Import) -> None:
    made = keepalived("frobnicate all\n" + service("shake", "TCP_CHECK {\nstir\n}", more="mix"))
    for directive in ("frobnicate", "shake", "TCP_CHECK stir", "mix"):
        assert made.found(directive)[0].endswith("this directive is not known here")


def test_a_certificate_is_shown_and_none_is_verified(keepalived: Import) -> None:
    text = "SSL {\ncertificate /nowhere.pem\nkey /nowhere.key\npassword hush\nca /nowhere.ca\n}\n"
    made = keepalived(text + service("SSL_GET {\nurl {\npath /\n}\n}"))
    assert made.check_of("198.51.100.1").params.insecure_skip_verify
    assert made.found("SSL password") == ["4: left out: a key has no password: store it without one"]
    assert made.found("certificate of health check https-80") or made.found("key of health check https-80")
    assert "hush" not in made.imported.text


def test_the_network_namespace_is_kept(keepalived: Import) -> None:
    assert keepalived("net_namespace dataplane\n" + service()).config.healthchecker.netns == "dataplane"
