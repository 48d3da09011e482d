"""`maglevd import`: files in, a configuration on standard output, findings on standard error, and a status."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maglev.cli.command import command
from maglev.library import installed

SAMPLES = Path(__file__).parents[1] / "migrate"
KEEPALIVED = "virtual_server 203.0.113.80 80 {\nreal_server 198.51.100.1 80 {\nTCP_CHECK {}\n}\n}\n"


def run(*words: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(command(installed()), ["import", *map(str, words)], input=stdin)


@pytest.mark.parametrize("name", ["keepalived.conf", "haproxy.cfg"])
def test_what_it_prints_passes_the_check(tmp_path: Path, name: str) -> None:
    imported = run("--vip", "203.0.113.9", SAMPLES / name)
    assert imported.exit_code == 0, imported.stderr
    file = tmp_path / "maglev.yaml"
    file.write_text(imported.stdout)
    checked = CliRunner().invoke(command(installed()), ["check", str(file)])
    assert checked.exit_code == 0, checked.stderr


def test_each_finding_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(KEEPALIVED.replace("TCP_CHECK", "quick \x1b[2J\nTCP_CHECK"))
    *findings, total = run(file).stderr.splitlines()
    assert findings == [f"{file}:3: quick: left out: this directive is not known here"]
    assert total == f"{file}: 1 frontends, 1 backends, 1 health checks; 1 findings"


def test_standard_input_is_read_too() -> None:
    done = run("-", stdin=KEEPALIVED.encode())
    assert done.exit_code == 0
    assert "198.51.100.1:" in done.stdout


def test_the_format_is_found_out_or_said(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("# nothing\n")
    done = run(file)
    assert done.exit_code == 1
    assert "--from keepalived" in done.stderr
    file.write_text(KEEPALIVED)
    assert run(file).exit_code == 0
    assert run("--from", "haproxy", file).exit_code == 1


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    done = run(tmp_path / "gone")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"{tmp_path / 'gone'}: cannot be read: No such file or directory" in done.stderr


def test_a_file_without_servers_prints_nothing(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text("vrrp_instance a {\n}\n")
    done = run(file)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "vrrp_instance" in done.stderr


@pytest.mark.parametrize("vip", ["nothing", "::1", "0.0.0.0", "fe80::1%eth0"])
def test_a_vip_must_be_an_address_that_routes(vip: str) -> None:
    done = run("--vip", vip, SAMPLES / "haproxy.cfg")
    assert done.exit_code == 2
    assert "--vip" in done.stderr


def test_a_folder_is_read_as_haproxy_reads_it(tmp_path: Path) -> None:
    (tmp_path / "10-web.cfg").write_text("listen web\nbind 203.0.113.80:80\nserver s 198.51.100.1:80 check\n")
    (tmp_path / "00-defaults.cfg").write_text("defaults\noption httpchk GET /from-defaults\n")
    (tmp_path / "other.txt").write_text("listen other\n")
    done = run(tmp_path)
    assert done.exit_code == 0
    assert "/from-defaults" in done.stdout
    assert f"{tmp_path}/10-web.cfg:2" in done.stdout
    (tmp_path / "empty").mkdir()
    assert "no file *.cfg" in run(tmp_path / "empty").stderr


def test_includes_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "a.conf").write_text("include b.inc\n")
    (tmp_path / "sites" / "b.inc").write_text(KEEPALIVED)
    file = tmp_path / "keepalived.conf"
    file.write_text("global_defs {\n}\ninclude sites/*.conf\n")
    done = run(file)
    assert done.exit_code == 0
    assert f"{tmp_path}/sites/b.inc:1" in done.stdout


def test_names_are_looked_up_only_if_asked(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("listen web\nbind 203.0.113.80:80\nserver s localhost:80 check\n")
    assert run(file).exit_code == 1
    done = run("--resolve", file)
    assert done.exit_code == 0
    assert "address: " in done.stdout


def test_variables_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "IMPORTED_VIP", "203.0.113.81")
    file = tmp_path / "haproxy.cfg"
    file.write_text('listen web\nbind "$IMPORTED_VIP:80"\nserver s 198.51.100.1:80 check\n')
    assert "address: 203.0.113.81" in run(file).stdout


def test_a_bytes_file_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_bytes(b"# caf\xe9 \x00\n" + KEEPALIVED.encode())
    assert run(file).exit_code == 0


def test_what_has_to_be_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGLEV_LOAD_PLUGINS", "memory")
    file = tmp_path / "keepalived.conf"
    file.write_text(KEEPALIVED)
    done = run(file)
    assert done.exit_code == 0
    assert "to be installed: type tcp needs plugin maglev-tcp" in done.stderr
