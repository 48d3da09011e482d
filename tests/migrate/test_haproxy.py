"""haproxy.cfg: sections and what they take over, VIPs, servers, and every kind of check."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from maglev.migrate.haproxy.addresses import endpoint_of
from maglev.migrate.haproxy.words import UnendedQuoteError, Variables, split

Import = Callable[..., Any]

HERE = Path(__file__).parent
S = timedelta(seconds=1)


def listen(*lines: str, bind: str = "203.0.113.80:80", server: str = "s 198.51.100.1:80 check") -> str:
    """A proxy with one server."""
    return "\n".join(["listen web", f"bind {bind}", *lines, f"server {server}" if server else ""]) + "\n"


def test_the_sample_becomes_what_it_says(haproxy: Import) -> None:
    made = haproxy((HERE / "haproxy.cfg").read_text(), vips=(ip_address("203.0.113.9"), ip_address("2001:db8::9")))
    frontends = made.config.frontends
    assert {(str(one.address), one.port) for name, one in frontends.items() if name.startswith("public")} == {
        ("203.0.113.80", 80), ("203.0.113.80", 443), ("203.0.113.9", 8443), ("2001:db8::9", 8443),
    }  # fmt: skip
    shop = "public-203.0.113.80-80"
    assert frontends[shop].description == "the shop"
    assert [pool.name for pool in frontends[shop].pools] == ["primary", "backup-1", "backup-2"]
    assert made.members(shop) == {"web-a": 100, "web-b": 50, "web-c": 1}
    assert made.config.backends["web-c"].enabled is False
    check = made.check_of("web-a")
    assert (check.type, check.port, check.rise, check.fall) == ("http", 8080, 3, 4)
    assert (check.interval, check.fast_interval, check.down_interval) == (4 * S, 1 * S, 10 * S)
    assert check.timeout == 4.5 * S
    assert (check.params.path, check.params.method, check.params.host) == ("/health", "GET", "shop.example.org")
    assert (check.params.response_code, check.params.response_regexp) == ("200,204,300-399", "^(ok|fine)")
    assert check.params.headers == {"X-Probe": "lb"}
    assert made.check_of("spare-b") == check
    assert (frontends["mail"].src_ip_sticky, frontends["mail"].flush_on_down) == (True, True)
    assert frontends[shop].flush_on_down is False
    cache = made.check_of("r1").params
    assert cache.send == r"AUTH secret word\r\ninfo replication\r\nQUIT\r\n"
    assert cache.expect == r"(?s)(?:\+OK).*(?:role:master)"
    directory = made.check_of("l1")
    assert (directory.type, directory.params.ssl, directory.params.server_name) == ("tcp", True, "ldap.example.org")
    assert "# ca-file: /etc/ssl/private-ca/inside.pem" in made.imported.text


def test_haproxy_itself_reads_the_sample(tmp_path: Path) -> None:
    """So that what is tested is what HAProxy takes."""
    haproxy = shutil.which("haproxy") or "/usr/sbin/haproxy"
    if not Path(haproxy).exists():
        pytest.skip("HAProxy is not installed")
    text = (HERE / "haproxy.cfg").read_text()
    file = tmp_path / "haproxy.cfg"
    # The certificates that it names are on no host, and this one may have no name server.
    for gone in (" ssl crt /etc/ssl/site.pem", " ca-file inside.pem", " api.example.org:8443"):
        text = text.replace(
            gone, " 198.51.100.9:8443" if "example" in gone else " ssl verify none" if "ca" in gone else ""
        )
    file.write_text(text.replace("ssl verify required ssl verify none", "ssl verify none"))
    done = subprocess.run([haproxy, "-c", "-f", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- sections -----------------------------------------------------------------------------------------------------


def test_defaults_hold_until_the_next_ones(haproxy: Import) -> None:
    text = """
    defaults
        option httpchk GET /one HTTP/1.1
    defaults two
        option httpchk GET /two HTTP/1.1
        default-server inter 9s
    listen a
        bind 203.0.113.1:80
        server s1 198.51.100.1:80 check
    defaults three from two
        default-server rise 7
    listen b
        bind 203.0.113.2:80
        server s2 198.51.100.2:80 check
    listen c from two
        bind 203.0.113.3:80
        server s3 198.51.100.3:80 check rise 5
    """
    made = haproxy(text)
    checks = [made.check_of(name) for name in ("s1", "s2", "s3")]
    assert [check.params.path for check in checks] == ["/two"] * 3
    assert [(check.interval, check.rise) for check in checks] == [(9 * S, 2), (9 * S, 7), (9 * S, 5)]


def test_own_rules_replace_those_of_defaults(haproxy: Import) -> None:
    text = "defaults\noption httpchk\nhttp-check expect status 204\n"
    assert haproxy(text + listen()).check_of("s").params.response_code == "204"
    assert haproxy(text + listen("http-check expect status 205")).check_of("s").params.response_code == "205"
    assert haproxy(text + listen("option tcp-check")).check_of("s").type == "tcp"
    assert haproxy(text + listen("no option httpchk")).check_of("s").type == "tcp"


@pytest.mark.parametrize(
    "condition,holds",
    [
        ("1", True),
        ("0", False),
        ("", False),
        ("defined(HERE)", True),
        ("!defined(HERE)", False),
        ('streq("$HERE",yes) && !(0 || defined(GONE))', True),
        ('strneq("$HERE",yes) || strstr("$HERE",es)', True),
        ("feature(OPENSSL) && version_atleast(2.4)", True),
        ("version_before(2.4)", False),
        ("streq(", False),
        ("frob(1)", False),
    ],
)
def test_conditions_hold_or_not(haproxy: Import, condition: str, holds: bool) -> None:
    text = f".if {condition}\n{listen()}.else\n{listen(bind='203.0.113.81:81')}.endif\n"
    [frontend] = haproxy(text, environment={"HERE": "yes"}).config.frontends.values()
    assert frontend.port == (80 if holds else 81)


def test_nested_conditions_take_one_branch(haproxy: Import) -> None:
    branches = [listen(bind=f"203.0.113.8{n}:8{n}") for n in range(4)]
    text = (
        f".if 0\n.if 1\n{branches[0]}.endif\n.elif 1\n{branches[1]}.elif 1\n{branches[2]}.else\n{branches[3]}.endif\n"
    )
    assert [one.port for one in haproxy(text).config.frontends.values()] == [81]


def test_variables_are_replaced_in_double_quotes(haproxy: Import) -> None:
    text = "global\nsetenv PORT 81\npresetenv PORT 82\n" + listen(bind='"203.0.113.${LAST-5}:$PORT"')
    assert [one.port for one in haproxy(text).config.frontends.values()] == [81]
    [frontend] = haproxy(text, environment={"LAST": "7"}).config.frontends.values()
    assert str(frontend.address) == "203.0.113.7"
    assert haproxy(listen('log "${GONE}" local0')).found("$GONE")


@pytest.mark.parametrize(
    "line,words",
    [
        ("a  b\tc # d", ["a", "b", "c"]),
        (r"a\ b \# '#' c#d", ["a b", "#", "#", "c"]),
        (r'"a b"\ "$V"x', ["a b v wx"]),
        ("'$V \\n' x", ["$V \\n", "x"]),
        (r'"\$V\"\\" \x41\r\n', ['$V"\\', "A\r\n"]),
        ('"${V[*]}" end', ["v", "w", "end"]),
        ('""', [""]),
        ("a\\", ["a\\"]),
        ("", []),
    ],
)
def test_words_are_taken_apart_as_haproxy_does(line: str, words: list[str]) -> None:
    assert split(line, Variables({"V": "v w"}, pytest.fail)) == words


@pytest.mark.parametrize("line", ['"a', "'a", '"a\\"'])
def test_a_quote_needs_an_end(line: str) -> None:
    with pytest.raises(UnendedQuoteError):
        split(line, Variables({}, pytest.fail))


# --- VIPs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text,wanted",
    [
        ("192.0.2.1:80", ("192.0.2.1", [80], 0)),
        (":80", ("", [80], 0)),
        ("*:80", ("*", [80], 0)),
        ("[2001:db8::1]:80", ("2001:db8::1", [80], 0)),
        ("2001:db8::1:80", ("2001:db8::1", [80], 0)),
        ("2001:db8:0:0:0:0:0:1", ("2001:db8:0:0:0:0:0:1", [], 0)),
        (":::80", ("::", [80], 0)),
        ("ipv6@[2001:db8::1]:80-82", ("2001:db8::1", [80, 81, 82], 6)),
        ("tcp4@192.0.2.1:80", ("192.0.2.1", [80], 4)),
        ("www.example.org:80", ("www.example.org", [80], 0)),
        ("192.0.2.1", ("192.0.2.1", [], 0)),
        ("192.0.2.1:+100", ("192.0.2.1", [], 0)),
    ],
)
def test_addresses_are_read(text: str, wanted: tuple[str, list[int], int]) -> None:
    found = endpoint_of(text)
    assert found is not None
    assert (found.host, list(found.ports), found.family) == wanted


@pytest.mark.parametrize("text", ["/run/x.sock", "unix@/run/x", "abns@x", "fd@3", "192.0.2.1:99999", "192.0.2.1:9-1"])
def test_what_is_no_address_of_a_network_is_none(text: str) -> None:
    assert endpoint_of(text) is None


def test_addresses_and_ports_of_one_line_are_vips_each(haproxy: Import) -> None:
    made = haproxy(listen(bind="203.0.113.1:80,203.0.113.2:80-81 name x", server="s 198.51.100.1 check"))
    assert {(name, one.port) for name, one in made.config.frontends.items()} == {
        ("web-203.0.113.1-80", 80), ("web-203.0.113.2-80", 80), ("web-203.0.113.2-81", 81)
    }  # fmt: skip


def test_all_addresses_need_one_from_the_operator(haproxy: Import) -> None:
    made = haproxy(listen(bind="*:80"))
    assert not made.config.frontends
    assert "--vip" in made.found("frontend web")[0]
    assert "#   web:  # line 2" in made.imported.text
    assert "#     address:  # to be filled in" in made.imported.text
    made = haproxy(listen(bind="*:80"), vips=(ip_address("2001:db8::9"), ip_address("203.0.113.9")))
    assert [str(one.address) for one in made.config.frontends.values()] == ["203.0.113.9"]


def test_an_address_may_stand_behind_the_name_as_it_once_did(haproxy: Import) -> None:
    made = haproxy("listen web 203.0.113.80:80\nserver s 198.51.100.1:80\n")
    assert [(str(one.address), one.port) for one in made.config.frontends.values()] == [("203.0.113.80", 80)]


def test_quic_is_a_vip_of_udp(haproxy: Import) -> None:
    made = haproxy(listen(bind="quic4@203.0.113.80:443 ssl crt x"))
    assert [one.protocol for one in made.config.frontends.values()] == ["udp"]


def test_a_frontend_has_the_servers_of_its_default_backend(haproxy: Import) -> None:
    text = """
    frontend f
        bind 203.0.113.80:443
        use_backend other if { path /x }
        default_backend main
    backend main
        server s 198.51.100.1:443 check
    backend other
        server s 198.51.100.2:443 check
    frontend empty
        bind 203.0.113.81:443
    """
    made = haproxy(text)
    assert list(made.config.frontends) == ["f"]
    assert made.members("f") == {"s": 100}
    assert list(made.config.backends) == ["s", "s-other"]
    assert all(made.found(directive) for directive in ("use_backend", "backend other", "frontend empty"))


def test_a_use_backend_without_a_condition_is_for_all(haproxy: Import) -> None:
    text = "frontend f\nbind 203.0.113.80:80\nuse_backend b\nbackend b\nserver s 198.51.100.1:80\n"
    made = haproxy(text)
    assert made.members("f") == {"s": 100}
    assert not made.found("use_backend")


def test_a_disabled_proxy_is_left_out(haproxy: Import) -> None:
    assert haproxy(listen("disabled")).found("listen web") == ["1: left out: it is disabled"]


# --- servers ------------------------------------------------------------------------------------------------------


def test_options_of_a_server_win_over_those_of_default_server(haproxy: Import) -> None:
    made = haproxy(
        listen(
            "default-server check inter 5s weight 7 ssl verify none",
            "server t 198.51.100.2:80 no-check weight 9",
            server="s 198.51.100.1:80 inter 300 no-ssl",
        )
    )
    assert made.members("web") == {"t": 9, "s": 7}
    assert made.check_of("t") is None
    check = made.check_of("s")
    assert (check.type, check.interval, check.params.ssl) == ("tcp", 0.3 * S, False)


def test_a_template_is_that_many_servers(haproxy: Import) -> None:
    text = listen(
        "server-template app 2-4 app.example.org:80 check", "server-template x 2 gone.example.org:80", server=""
    )
    made = haproxy(text, look_up={"app.example.org": ip_address("198.51.100.1")}.get)
    assert list(made.config.backends) == ["app2"]
    assert "--resolve" in made.found("server gone.example.org:80")[0]


@pytest.mark.parametrize(
    "options,probe",
    [
        ("check", {"type": "tcp", "port": 80, "interval": 2 * S, "timeout": 1.5 * S, "rise": 2, "fall": 3}),
        ("check port 81", {"port": 81}),
        ("check inter 500 fastinter 100ms downinter 1m", {"interval": 0.5 * S, "timeout": 0.375 * S}),
        ("check inter 1us", {"interval": 0.01 * S}),
        ("check rise 3 fall 5", {"rise": 3, "fall": 5}),
        ("check source 192.0.2.9", {"probe_ipv4_src": ip_address("192.0.2.9")}),
        ("check source 192.0.2.9:1000-2000 usesrc clientip", {"probe_ipv4_src": ip_address("192.0.2.9")}),
        ("check source 2001:db8::9", {"probe_ipv4_src": None}),
    ],
)
def test_a_probe_has_the_cadence_of_its_server(haproxy: Import, options: str, probe: dict[str, Any]) -> None:
    check = haproxy(listen(server=f"s 198.51.100.1:80 {options}")).check_of("s")
    assert {key: getattr(check, key) for key in probe} == probe


@pytest.mark.parametrize(
    "options,params",
    [
        ("check ssl verify none", {"ssl": True, "insecure_skip_verify": True}),
        ("check ssl verify none port 81", {"ssl": False}),
        ("check check-ssl verify none port 81", {"ssl": True}),
        ("check ssl check-sni a.example.org", {"ssl": True, "server_name": "a.example.org"}),
        ("check ssl verifyhost b.example.org", {"server_name": "b.example.org"}),
        ("check ssl verify none force-tlsv13", {"min_tls_version": "TLSv1.3"}),
        ("check ssl verify none ssl-min-ver TLSv1.0", {"min_tls_version": "TLSv1.0", "security_level": 0}),
        ("check ssl verify none ciphers AES128-SHA", {"ciphers": "AES128-SHA"}),
        ("check ssl verify none crt /nowhere.pem", {"certificate": ""}),
    ],
)
def test_a_probe_speaks_tls_as_its_server_does(haproxy: Import, options: str, params: dict[str, Any]) -> None:
    found = haproxy(listen(server=f"s 198.51.100.1:80 {options}")).check_of("s").params
    assert {key: getattr(found, key) for key in params} == params


def test_without_a_name_the_certificate_must_name_the_address(haproxy: Import) -> None:
    assert haproxy(listen(server="s 198.51.100.1:80 check ssl")).found("server verify")
    assert not haproxy(
        listen("option httpchk GET / HTTP/1.1 www.example.org", server="s 198.51.100.1:80 check ssl")
    ).found("server verify")
    assert not haproxy("global\nssl-server-verify none\n" + listen(server="s 198.51.100.1:80 check ssl")).found(
        "server verify"
    )


def test_only_what_makes_a_check_invalid_is_left_out(haproxy: Import) -> None:
    rules = ("option httpchk GET /x HTTP/1.1 www.example.org", "http-check expect rstring (?<!a)b")
    made = haproxy(listen(*rules, server="s 198.51.100.1:443 check ssl ca-file /nowhere.pem"))
    params = made.check_of("s").params
    assert (params.path, params.host, params.response_regexp, params.ca_file) == ("/x", "www.example.org", "", "")
    assert [made.found(f"{key} of health check web") != [] for key in ("response-regexp", "ca-file")] == [True, True]


def test_backup_servers_are_pools_in_their_order_or_one(haproxy: Import) -> None:
    lines = ("server b1 198.51.100.2:80 backup", "server b2 198.51.100.3:80 backup")
    pools = haproxy(listen(*lines)).config.frontends["web"].pools
    assert [list(pool.backends) for pool in pools] == [["s"], ["b1"], ["b2"]]
    pools = haproxy(listen("option allbackups", *lines)).config.frontends["web"].pools
    assert [list(pool.backends) for pool in pools] == [["s"], ["b1", "b2"]]


def test_a_server_that_tracks_another_has_its_check(haproxy: Import) -> None:
    text = listen("server t 198.51.100.2:80 track u", "server u 198.51.100.3:80 track far/v") + (
        "backend far\noption httpchk GET /far\nserver v 198.51.100.4:8080 check inter 3s\n"
    )
    made = haproxy(text)
    check = made.check_of("t")
    assert (check.type, check.interval, check.params.path, check.port) == ("http", 3 * S, "/far", 80)
    assert haproxy(listen("server t 198.51.100.2:80 track t")).check_of("t") is None
    assert haproxy(listen("server t 198.51.100.2:80 track gone")).found("server track gone")


def test_a_server_without_a_port_has_that_of_the_vip(haproxy: Import) -> None:
    assert haproxy(listen(server="s 198.51.100.1 check")).check_of("s").port == 80


@pytest.mark.parametrize("balance,sticky", [("source", True), ("roundrobin", False), ("uri depth 3", False)])
def test_balance_source_keeps_a_client_with_its_server(haproxy: Import, balance: str, sticky: bool) -> None:
    assert haproxy(listen(f"balance {balance}")).config.frontends["web"].src_ip_sticky is sticky


# --- checks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines,params",
    [
        (["option httpchk"], {"method": "OPTIONS", "path": "/", "response_code": "200-399"}),
        (["option httpchk /x"], {"method": "OPTIONS", "path": "/x"}),
        (["option httpchk HEAD /x?y=1"], {"method": "HEAD", "path": "/x?y=1"}),
        (["option httpchk GET / HTTP/1.1 www.example.org"], {"host": "www.example.org"}),
        ([r"option httpchk GET / HTTP/1.1\r\nHost:\ a.example.org\r\nX-Y:\ z"],
         {"host": "a.example.org", "headers": {"X-Y": "z"}}),
        (["option httpchk OPTIONS *"], {"path": "/"}),
        (["option httpchk", "http-check send meth GET uri /u hdr host h.example.org hdr A b body c"],
         {"method": "GET", "path": "/u", "host": "h.example.org", "headers": {"A": "b"}}),
        (["option httpchk", "http-check expect status 200-204,301"], {"response_code": "200-204,301"}),
        (["option httpchk", "http-check expect ! status 500-599"], {"response_code": "100-499"}),
        (["option httpchk", "http-check expect rstatus ^[23]"], {"response_code": "200-399"}),
        (["option httpchk", "http-check expect !rstatus ^5"], {"response_code": "100-499"}),
        (["option httpchk", "http-check expect rstatus (.?.?){9}{9}{9}{9}"], {"response_code": "200-399"}),
        (["option httpchk", r"http-check expect string a.b\ (c)"],
         {"response_regexp": r"a\.b \(c\)", "response_code": "100-599"}),
        (["option httpchk", "http-check expect comment x min-recv 2 rstring ^ok$"], {"response_regexp": "^ok$"}),
        (["option httpchk", "http-check expect status 200", "http-check expect string ok"],
         {"response_regexp": "ok", "response_code": "200"}),
        (["option httpchk", "http-check expect string ok", "http-check expect status 200"],
         {"response_regexp": "ok", "response_code": "200"}),
        (["option httpchk", "http-check expect ! string bad"], {"response_regexp": "", "response_code": "200-399"}),
        (["option httpchk", "http-check expect hdr name x"], {"response_code": "200-399"}),
        (["option httpchk", "http-check connect", "http-check send meth GET uri /1",
          "http-check connect port 81", "http-check send meth GET uri /2"], {"path": "/1"}),
    ],
)  # fmt: skip
def test_http_checks_ask_and_judge(haproxy: Import, lines: list[str], params: dict[str, Any]) -> None:
    check = haproxy(listen(*lines)).check_of("s")
    assert check.type == "http"
    assert {key: getattr(check.params, key) for key in params} == params


def test_a_rule_connect_says_where_to(haproxy: Import) -> None:
    text = listen("option httpchk", "http-check connect port 8443 ssl sni w.example.org", "http-check send uri /a")
    check = haproxy(text).check_of("s")
    assert (check.type, check.port, check.params.server_name) == ("https", 8443, "w.example.org")
    plain = listen("option tcp-check", "tcp-check connect", server="s 198.51.100.1:443 check ssl verify none")
    assert haproxy(plain).check_of("s").params.ssl is False


@pytest.mark.parametrize(
    "lines,params",
    [
        (["option tcp-check"], {"send": "", "expect": ""}),
        (["option tcp-check", "tcp-check expect string +OK\\ POP3"], {"expect": r"\+OK POP3"}),
        (["option tcp-check", r"tcp-check send PING\r\n", "tcp-check expect rstring ^.PONG"],
         {"send": r"PING\r\n", "expect": "^.PONG"}),
        (["option tcp-check", "tcp-check send-binary 50494e470d0aff", "tcp-check expect binary 2b504f00"],
         {"send": r"PING\r\n\xff", "expect": r"\+PO\x00", "encoding": "latin-1"}),
        (["option tcp-check", "tcp-check expect string 220", r"tcp-check send QUIT\r\n", "tcp-check expect string 221"],
         {"send": "", "expect": "220"}),
        (["option tcp-check", r"tcp-check send a\r\n", "tcp-check expect string A", r"tcp-check send b\r\n",
          "tcp-check expect string B"], {"send": r"a\r\nb\r\n", "expect": "(?s)(?:A).*(?:B)"}),
        (["option tcp-check", "tcp-check expect ! string bad"], {"expect": ""}),
        (["option tcp-check", "tcp-check expect rbinary 00"], {"expect": ""}),
        (["option tcp-check", "tcp-check send-binary xyz"], {"send": ""}),
        (["option ssl-hello-chk"], {"ssl": True, "insecure_skip_verify": True}),
        (["option redis-check"], {"send": r"PING\r\n", "expect": r"^\+PONG"}),
        (["option smtpchk HELO x"], {"expect": "^2[0-9][0-9][ -]"}),
        (["option mysql-check user x"], {"encoding": "latin-1"}),
        (["option spop-check"], {"send": "", "expect": ""}),
        (["option external-check"], {"send": "", "expect": ""}),
    ],
)  # fmt: skip
def test_tcp_checks_send_and_expect(haproxy: Import, lines: list[str], params: dict[str, Any]) -> None:
    check = haproxy(listen(*lines)).check_of("s")
    assert check.type == "tcp"
    assert {key: getattr(check.params, key) for key in params} == params


def test_a_section_of_checks_may_be_named_by_a_server(haproxy: Import) -> None:
    text = "healthcheck deep\ntype httpchk GET /deep HTTP/1.1\nhttp-check expect status 204\n" + listen(
        server="s 198.51.100.1:80 check healthcheck deep"
    )
    params = haproxy(text).check_of("s").params
    assert (params.path, params.response_code) == ("/deep", "204")


# --- what is lost -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line,directive,kind",
    [
        ("http-request deny if { src 192.0.2.1 }", "http-request", "left out"),
        ("option forwardfor", "option forwardfor", "left out"),
        ("stick on src", "stick", "left out"),
        ("tcp-request connection reject", "tcp-request", "left out"),
        ("fullconn 7", "fullconn", "left out"),
        ("timeout client 5s", "timeout client", "not needed"),
        ("option tcplog", "option tcplog", "not needed"),
        ("no option dontlognull", "option dontlognull", "not needed"),
        ("frobnicate", "frobnicate", "left out"),
        ("server t 198.51.100.2:80 slowstart 5s", "server slowstart", "left out"),
        ("server t 198.51.100.2:80 send-proxy-v2", "server send-proxy-v2", "left out"),
        ("server t 198.51.100.2:80 agent-check", "server agent-check", "left out"),
        ("server t 198.51.100.2:80 pool-max-conn 5", "server pool-max-conn", "not needed"),
        ("server t 198.51.100.2:8080", "server port 8080", "changed"),
        ("server t t.example.org:80", "server t.example.org:80", "left out"),
        ("server t /run/t.sock", "server /run/t.sock", "left out"),
    ],
)
def test_what_is_lost_is_told_with_its_line(haproxy: Import, line: str, directive: str, kind: str) -> None:
    [found] = haproxy(listen(line)).found(directive)
    assert found.startswith(f"3: {kind}: ")


def test_no_value_that_may_be_secret_is_told(haproxy: Import) -> None:
    text = "userlist u\nuser a password hush\n" + listen(
        "stats auth admin:hush", "http-request auth hush", "cookie hush"
    )
    imported = haproxy(text).imported
    assert "hush" not in imported.text
    assert "hush" not in "\n".join(map(str, imported.findings))


def test_servers_of_two_families_cannot_serve_one_vip(haproxy: Import) -> None:
    made = haproxy(listen("server t [2001:db8::1]:80"))
    assert len(made.members("web")) == 1
    assert len([one for one in made.imported.findings if "one family" in one.message]) == 1
