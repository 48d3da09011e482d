"""Whatever is wrong is one clear line on standard error; 1 for an error, 2 for a wrong command."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from maglev.cli.demo.servers import free_port
from plugins.maglev_cli.tests.site import Site, maglevc


@pytest.mark.parametrize(
    "line,status,told",
    [
        ("show backend nope", 1, "no backend 'nope'"),
        ("show backend ams-3", 1, "no backend 'ams-3'; did you mean 'ams-2'"),
        ("show frontend sit", 1, "no frontend 'sit'; did you mean 'site'"),
        ("show healthcheck wbe", 1, "no healthcheck 'wbe'; did you mean 'web'"),
        ("show dataplane state nope", 1, "no frontend 'nope'"),
        ("set backend nope pause", 1, "no backend 'nope'"),
        ("set backend nope pause dry-run", 1, "no backend 'nope'"),
        ("set frontend site pool nope backend ams-1 weight 1", 1, "no pool 'nope'"),
        ("set frontend site pool primary backend fra-1 weight 1", 1, "no backend 'fra-1'"),
        (
            "set frontend site pool primary backend ams-1 weight 101",
            2,
            "<0-100> '101': expected a whole number from 0 to 100",
        ),
        ("show flow site 2001:db8::1", 1, "source 2001:db8::1: frontend site is IPv4"),
        ("show flow site 192.0.2.1 1 destination-port 81", 1, "destination port 81: frontend site has port 80"),
        ("show flow site 192.0.2.1 99999", 2, "<source-port> '99999': expected a whole number from 0 to 65535"),
        ("show", 2, "'show' is not complete; next: version, "),
        ("sohw", 2, "unknown word 'sohw'; possible: show, "),
        ("--wrong", 2, "No such option '--wrong'"),
        ("--output xml show version", 2, "Invalid value for '--output'"),
        ("--cert a.pem show version", 2, "set both a client certificate and its key, or neither"),
        ("--ca /nonexistent/ca.pem show version", 2, "/nonexistent/ca.pem: No such file or directory"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(shared_site: Site, line: str, status: int, told: str) -> None:
    before = shared_site.weights()
    found, message = shared_site.refused(line)
    assert (found, message[: len(told)]) == (status, told)
    assert shared_site.weights() == before


def test_errors_are_red_where_colour_is_wanted(shared_site: Site) -> None:
    done = shared_site.run("--color", "show", "backend", "nope")
    assert (done.stdout, done.stderr) == ("", "\x1b[31mno backend 'nope'\x1b[0m\n")


def test_a_name_cannot_steer_the_terminal(shared_site: Site) -> None:
    done = shared_site.run("show", "backend", "a\x1b[2Jb")
    assert done.returncode == 1
    assert "\x1b" not in done.stderr


def test_no_maglevd_there_is_said(tmp_path: Path) -> None:
    port = free_port([])
    for server in (f"localhost:{port or 1}", f"unix:{tmp_path}/none.sock"):
        done = maglevc("--server", server, "show", "version")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"{server}: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("server", ["a,b", "host:99999", "a b", "[::1"])
def test_a_server_that_is_none_is_said(server: str) -> None:
    done = maglevc("--server", server, "show", "version")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not a server" in done.stderr


def test_garbage_on_the_port_is_an_error(stack: ExitStack) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def send_garbage() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"SSH-2.0-nothing like HTTP/2\r\n" * 20)

    thread = threading.Thread(target=send_garbage, daemon=True)
    thread.start()
    done = maglevc("--server", f"127.0.0.1:{listener.getsockname()[1]}", "show", "version")
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(30)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1


def test_what_was_asked_in_json_fails_as_in_text(shared_site: Site) -> None:
    done = shared_site.run("--output", "json", "show", "backend", "nope")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no backend 'nope'\n")


def test_a_wrong_command_asks_nothing_of_maglevd() -> None:
    done = maglevc("--server", "localhost:1", "show", "foo")
    assert done.returncode == 2
    assert "unknown word 'foo'" in done.stderr


def test_help_and_version_need_no_maglevd() -> None:
    for words in (("help",), ("show", "?"), ("?",), ("--help",), ("-h",), ("--version",), ("quit",)):
        done = maglevc("--server", "localhost:1", *words)
        assert (done.returncode, done.stderr) == (0, ""), words
    assert "show backends" in maglevc("help").stdout
    assert "backends" in maglevc("show", "?").stdout
    assert maglevc("sohw", "?").returncode == 2


@pytest.mark.parametrize(
    "text,status,out,told",
    [
        ("show ba?", 0, "backends", ""),
        ("show ?", 0, "healthchecks", ""),
        ("?", 0, "watch", ""),
        ("show backend ams-1\nshow vpp ?\nhelp", 0, "lb", ""),
        ('show backend "ams-1', 2, "", "line 1: a quote is not closed"),
        ("show version\nshow backend 'a", 2, "", "line 2: a quote is not closed"),
        ("show backend a\\", 2, "", "line 1: a quote is not closed"),
        ('show backend "a?"', 1, "", "no backend 'a?'"),
        ('show backend "two words"', 1, "", "no backend 'two words'"),
        ("sohw ?", 2, "", "line 1: unknown word 'sohw'"),
        ("# a comment ?\n\n  # and another '", 0, "", ""),
    ],
)
def test_a_pipe_reads_question_marks_and_quotes_as_the_shell_does(
    shared_site: Site, text: str, status: int, out: str, told: str
) -> None:
    done = shared_site.run(text=f"{text}\n")
    assert (done.returncode, out in done.stdout, done.stderr[: len(told)]) == (status, True, told)
    assert bool(done.stderr) == bool(told)
    assert bool(done.stdout) == bool(out)


def test_a_name_in_quotes_is_a_name_on_the_command_line_too(shared_site: Site) -> None:
    words = ("sync", "vpp", "lb", "state")
    assert shared_site.run(*words, "'dry-run'").stderr.startswith("no frontend 'dry-run'")
    assert shared_site.run("show", "backend", '"?"').stderr.startswith("no backend '?'")
    assert shared_site.run("show", "backend", "two words").stderr.startswith("no backend 'two words'")
    assert shared_site.run("show", "backend", "h").stderr.startswith("no backend 'h'")
    assert shared_site.run("set", "backend", "h", "pause").stderr.startswith("no backend 'h'")


def test_the_environment_speaks_and_a_flag_wins(shared_site: Site) -> None:
    assert maglevc("show", "version", MAGLEV_SERVER=shared_site.server).returncode == 0
    assert maglevc("-server", shared_site.server, "show", "version", MAGLEV_SERVER="localhost:1").returncode == 0
    assert maglevc("show", "backends", MAGLEV_SERVER=shared_site.server, MAGLEV_OUTPUT="json").stdout.startswith("{")


def test_options_may_stand_behind_the_command(shared_site: Site) -> None:
    assert shared_site.run("show", "backends", "--output", "json").stdout.startswith("{")
