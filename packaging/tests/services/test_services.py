"""The packages' services under a real systemd, a machine for each release of Debian whose root and packages are there.

    make try-services

starts the machines, installs what `make pkg-deb` made, and does what an operator does. VPP is the stand-in of the tests
of maglev-vpp, outside of the machine. The tests of one machine build on each other, in the order that they have here.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.machine import SHARED, Machine, started, why_not

ROOT = Path(__file__).parents[3]
ROOTS, DEBS = Path(os.environ.get("MAGLEV_TEST_ROOTS", "")), Path(os.environ.get("MAGLEV_TEST_DEBS", ""))
RELEASES = {"bookworm": "deb12", "trixie": "deb13"}
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
ORIGINAL = Path(__file__).with_name("original")
CONFIG, EXAMPLE = "/etc/vpp-maglev/maglev.yaml", "/usr/share/vpp-maglevd/maglev.yaml"
DEFAULT = "/etc/default/vpp-maglev"
SERVERS = ("198.51.100.11", "198.51.100.12", "198.51.100.21", "2001:db8:1::11")
OWN = ("198.51.100.1", "2001:db8:1::1")
PATIENCE_S = 60.0

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not ROOTS.name, reason="MAGLEV_TEST_ROOTS and MAGLEV_TEST_DEBS do not say what to try"),
]


class Vpp:
    """The stand-in for VPP."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        module = "plugins.maglev_vpp.tests.standin"
        self._process = subprocess.Popen([sys.executable, "-m", module, str(folder)], cwd=ROOT)
        until((folder / "api.sock").exists)

    def open_to(self, group: int) -> None:
        """Let a group connect, as VPP does with its own."""
        for name in ("api.sock", "stats.sock"):
            os.chown(self._folder / name, 0, group)
            (self._folder / name).chmod(0o770)

    def writes(self, *, clear: bool = False) -> list[dict[str, Any]]:
        """What was written to it so far."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self._folder / "control.sock"))
            control.sendall(json.dumps({"do": "report", "clear": clear}).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                data += control.recv(65536)
        writes: list[dict[str, Any]] = json.loads(data)["writes"]
        return writes

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def until(condition: Any, what: str = "it") -> Any:
    """Wait until something holds, and return it."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.1)
    return found


def packages(codename: str) -> list[Path]:
    """The newest build of each package for a release."""
    found = sorted(DEBS.glob(f"*~{RELEASES[codename]}_{ARCHITECTURE}.deb"), key=lambda file: file.stat().st_mtime)
    return list({file.name.split("_")[0]: file for file in found}.values())


@pytest.fixture(scope="module", params=RELEASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine with the packages installed, and servers at the addresses of the original's configuration."""
    codename: str = request.param
    tar = ROOTS / f"{codename}.tar"
    if not tar.exists() or not packages(codename):
        pytest.skip(f"no root or no packages of {codename}: make deb-roots pkg-deb")
    if reason := why_not():
        pytest.skip(f"no machine can be started here: {reason}")
    with started(tar) as made:
        made.run("groupadd", "--system", "vpp")
        for file in packages(codename):
            shutil.copy(file, made.shared)
        made.run("sh", "-c", f"dpkg --install {SHARED}/*.deb")
        for address in (*OWN, *SERVERS):
            made.run("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
        for number, address in enumerate(SERVERS):
            made.run("systemd-run", f"--unit=web{number}", "python3", "-m", "http.server", "80", "--bind", address)
        yield made


@pytest.fixture(autouse=True)
def _journal(machine: Machine) -> Iterator[None]:
    """What the services logged in a test is shown if it fails."""
    cursor = machine.run("journalctl", "--lines=0", "--show-cursor").rpartition("-- cursor: ")[2].strip()
    yield
    shown = machine.try_run("journalctl", f"--after-cursor={cursor}", "--unit=vpp-maglev*", "--output=short")
    sys.stdout.write(shown.stdout)


@pytest.fixture(scope="module")
def vpp(machine: Machine) -> Iterator[Vpp]:
    """Its VPP, which lets group vpp connect."""
    made = Vpp(machine.shared / "vpp")
    made.open_to(int(machine.run("getent", "group", "vpp").split(":")[2]))
    machine.run("ln", "-s", f"{SHARED}/vpp", "/run/vpp")
    yield made
    made.close()


def property_of(machine: Machine, name: str, unit: str = "vpp-maglev") -> str:
    """One property of a unit."""
    return machine.run("systemctl", "show", "--value", f"--property={name}", unit).strip()


def records(machine: Machine, event: str, unit: str = "vpp-maglev") -> list[dict[str, Any]]:
    """What the process that runs now has logged of one kind."""
    invocation = property_of(machine, "InvocationID", unit)
    lines = machine.run("journalctl", "--output=cat", f"_SYSTEMD_INVOCATION_ID={invocation}").splitlines()
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    return [record for record in logged if record["event"] == event]


def steady(machine: Machine) -> None:
    """Wait until the warm-up is over and every server that is looked for is known."""
    until(lambda: sum(record["frontends"] for record in records(machine, "released")) == 2, "released")
    until(lambda: "unknown" not in machine.run("maglevc", "show", "backends"), "all known")
    until(lambda: machine.try_run("maglevc", "sync", "vpp", "lb", "state").returncode == 0, "a whole sync")


def wait_active(machine: Machine, old_pid: str) -> str:
    """Wait until another process than that one is ready, and return its number."""

    def other() -> str:
        pid = property_of(machine, "MainPID")
        return pid if pid not in ("0", old_pid) and property_of(machine, "ActiveState") == "active" else ""

    return until(other, "another process is ready")  # type: ignore[no-any-return]


def drop_in(machine: Machine, text: str, unit: str = "vpp-maglev") -> None:
    """Change a unit as `systemctl edit` does; an empty text takes that back."""
    folder = machine.inside(f"/etc/systemd/system/{unit}.service.d")
    shutil.rmtree(folder, ignore_errors=True)
    if text:
        folder.mkdir(parents=True)
        (folder / "override.conf").write_text(text)
    machine.run("systemctl", "daemon-reload")


# --- as installed ---


def test_the_unedited_example_is_enabled_and_not_started(machine: Machine) -> None:
    assert machine.run("systemctl", "is-enabled", "vpp-maglev").strip() == "enabled"
    assert machine.try_run("systemctl", "is-enabled", "vpp-maglev-frontend").stdout.strip() == "disabled"
    assert property_of(machine, "ActiveState") == "inactive"
    machine.run("systemctl", "start", "vpp-maglev")  # as the next boot does
    assert property_of(machine, "ActiveState") == "inactive"
    assert "is the unedited example: not started" in machine.run("journalctl", "--unit=vpp-maglev")


@pytest.mark.parametrize("unit", ["vpp-maglev", "vpp-maglev-frontend"])
def test_nothing_is_wrong_with_a_unit(machine: Machine, unit: str) -> None:
    pages = "no" if machine.try_run("sh", "-c", "ls /usr/share/man/man8/maglevd.8*").returncode else "yes"
    assert machine.run("systemd-analyze", "verify", f"--man={pages}", f"{unit}.service") == ""


@pytest.mark.parametrize("unit,tenths", [("vpp-maglev", 40), ("vpp-maglev-frontend", 25)])
def test_a_unit_is_exposed_little(machine: Machine, unit: str, tenths: int) -> None:
    machine.run("systemd-analyze", "security", "--no-pager", f"--threshold={tenths}", f"{unit}.service")


# --- what the original's files do ---


def test_the_originals_files_start_it_unchanged(machine: Machine, vpp: Vpp) -> None:
    machine.write(CONFIG, (ORIGINAL / "maglev.yaml").read_text())
    machine.write(DEFAULT, (ORIGINAL / "vpp-maglev").read_text(), 0o640)
    machine.run("systemctl", "start", "vpp-maglev")
    steady(machine)
    shown = json.loads(machine.run("maglevc", "--output", "json", "show", "frontends"))
    assert {each["name"]: each["state"] for each in shown["frontends"]} == {
        "http-ipv4": "FRONTEND_STATE_UP",
        "http-ipv6": "FRONTEND_STATE_UP",
    }
    assert {write["message"] for write in vpp.writes()} >= {"lb_add_del_vip_v2", "lb_add_del_as_v2"}


def test_it_runs_as_its_own_user_with_two_capabilities_and_no_way_to_more(machine: Machine) -> None:
    status = machine.run("cat", f"/proc/{property_of(machine, 'MainPID')}/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    user = machine.run("id", "--user", "maglevd").strip()
    capabilities = f"{1 << 13 | 1 << 21:016x}"  # CAP_NET_RAW, CAP_SYS_ADMIN
    assert set(fields["Uid"].split()) == {user}
    assert (fields["CapEff"], fields["CapBnd"], fields["NoNewPrivs"], fields["Seccomp"]) == (
        capabilities,
        capabilities,
        "1",
        "2",
    )
    assert records(machine, "permission-missing") == []


def test_the_dashboard_takes_its_options_and_its_password(machine: Machine) -> None:
    machine.run("systemctl", "enable", "--now", "vpp-maglev-frontend")
    ask = "import sys, urllib.request as u; r = u.Request(sys.argv[1]); sys.argv[2:] and r.add_header('Authorization', "
    ask += "'Basic ' + __import__('base64').b64encode(sys.argv[2].encode()).decode()); print(u.urlopen(r).status)"

    def status(*words: str) -> str:
        return machine.try_run("python3", "-c", ask, *words).stdout.strip().splitlines()[-1]

    until(lambda: status("http://[::1]:8080/view/") == "200", "the page")
    assert "401" in status("http://127.0.0.1:8080/admin/")
    assert status("http://127.0.0.1:8080/admin/", "operator:two words") == "200"
    shown = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/view/api/state').read().decode())"
    until(lambda: "http-ipv4" in machine.run("python3", "-c", shown), "the daemon's state")


def test_the_dashboard_may_give_commands(machine: Machine) -> None:
    audit = "import urllib.request as u, base64, json\n"
    audit += "h = {'Authorization': 'Basic ' + base64.b64encode(b'operator:two words').decode()}\n"
    audit += "b = 'http://127.0.0.1:8080/admin/api/'\n"
    audit += "t = json.load(u.urlopen(u.Request(b + 'session', headers=h)))['token']\n"
    audit += "h |= {'X-Maglev-Token': t, 'Content-Type': 'application/json', 'Origin': 'http://127.0.0.1:8080'}\n"
    audit += "c = {'maglevd': 'localhost:9090', 'command': 'PauseBackend', 'arguments': {'backend': 'static0'}}\n"
    audit += "print(u.urlopen(u.Request(b + 'command', json.dumps(c).encode(), h)).status)\n"
    assert machine.run("python3", "-c", audit).strip() == "200"
    assert "paused" in machine.run("maglevc", "show", "backend", "static0")
    machine.run("maglevc", "set", "backend", "static0", "reset")


# --- reload ---


def test_a_reload_takes_up_the_file(machine: Machine) -> None:
    text = machine.inside(CONFIG).read_text()
    machine.write(CONFIG, text.replace("the web site over IPv4", "another description"))
    machine.run("systemctl", "reload", "vpp-maglev")
    until(lambda: "another description" in machine.run("maglevc", "show", "frontend", "http-ipv4"), "the reload")
    assert property_of(machine, "ActiveState") == "active"


def test_a_reload_of_a_bad_file_fails_and_changes_nothing(machine: Machine) -> None:
    good, pid = machine.inside(CONFIG).read_text(), property_of(machine, "MainPID")
    machine.write(CONFIG, good.replace("protocol: tcp", "protocol: sctp"))
    assert machine.try_run("systemctl", "reload", "vpp-maglev").returncode != 0
    assert "sctp" in machine.run("journalctl", "--unit=vpp-maglev", "--output=cat", "--lines=5")
    assert (property_of(machine, "ActiveState"), property_of(machine, "MainPID")) == ("active", pid)
    machine.write(CONFIG, good)
    machine.run("systemctl", "reload", "vpp-maglev")


def test_a_reload_judges_what_the_process_reads_and_not_what_the_environment_says_by_now(machine: Machine) -> None:
    before = machine.inside(DEFAULT).read_text()
    machine.write("/etc/vpp-maglev/other.yaml", "maglev: 7\n")
    machine.write(DEFAULT, before.replace(CONFIG, "/etc/vpp-maglev/other.yaml"))
    machine.run("systemctl", "reload", "vpp-maglev")  # the file of the running process is valid
    machine.write(DEFAULT, before)
    machine.write("/etc/vpp-maglev/other.yaml", "maglev: {}\n")
    drop_in(machine, "[Service]\nExecStart=\nExecStart=/usr/sbin/maglevd -config /etc/vpp-maglev/other.yaml\n")
    machine.run("systemctl", "restart", "vpp-maglev")
    machine.write("/etc/vpp-maglev/other.yaml", "maglev: 7\n")
    assert machine.try_run("systemctl", "reload", "vpp-maglev").returncode != 0
    drop_in(machine, "")
    machine.run("systemctl", "restart", "vpp-maglev")


def test_systemd_knows_of_a_reload_as_far_as_its_version_goes(machine: Machine) -> None:
    version = int(machine.run("systemctl", "--version").split()[1])
    assert property_of(machine, "Type") == ("notify-reload" if version >= 254 else "notify")


# --- restarts ---


def test_the_restart_of_an_upgrade_moves_no_weight(machine: Machine, vpp: Vpp) -> None:
    steady(machine)
    vpp.writes(clear=True)
    pid = property_of(machine, "MainPID")
    # The same package once more, of a version that is newer.
    machine.run("sh", "-c", f"rm -rf {SHARED}/next && dpkg-deb --raw-extract {SHARED}/vpp-maglevd_*.deb {SHARED}/next")
    control = machine.shared / "next/DEBIAN/control"
    lines = control.read_text().splitlines()
    control.write_text("\n".join(f"{line}+next" if line.startswith("Version:") else line for line in lines) + "\n")
    machine.run("dpkg-deb", "--root-owner-group", "-Znone", "--build", f"{SHARED}/next", f"{SHARED}/next.deb")
    said = machine.run("dpkg", "--install", "--force-confold", f"{SHARED}/next.deb")
    sys.stdout.write(said)
    assert wait_active(machine, pid) != pid
    steady(machine)
    assert vpp.writes() == []
    assert "http-ipv4" in machine.run("maglevc", "show", "frontends")
    until(lambda: property_of(machine, "ActiveState", "vpp-maglev-frontend") == "active", "the dashboard")


def test_a_killed_daemon_is_started_again_and_moves_no_weight(machine: Machine, vpp: Vpp) -> None:
    pid = property_of(machine, "MainPID")
    assert int(pid)
    machine.run("kill", "-KILL", pid)
    wait_active(machine, pid)
    steady(machine)
    assert vpp.writes() == []


def test_a_daemon_that_hangs_is_killed_by_the_watchdog_and_started_again(machine: Machine, vpp: Vpp) -> None:
    drop_in(machine, "[Service]\nWatchdogSec=3\n")
    machine.run("systemctl", "restart", "vpp-maglev")
    pid = property_of(machine, "MainPID")
    assert int(pid)
    machine.run("kill", "-STOP", pid)
    wait_active(machine, pid)
    assert "watchdog" in machine.run("journalctl", "--unit=vpp-maglev", "--lines=100", "--output=cat").lower()
    drop_in(machine, "")
    machine.run("systemctl", "restart", "vpp-maglev")
    steady(machine)
    assert vpp.writes() == []


def test_stop_ends_it_well(machine: Machine, vpp: Vpp) -> None:
    machine.run("systemctl", "stop", "vpp-maglev", "vpp-maglev-frontend")
    assert (property_of(machine, "Result"), property_of(machine, "ExecMainStatus")) == ("success", "0")
    assert property_of(machine, "Result", "vpp-maglev-frontend") == "success"
    assert vpp.writes() == []


# --- what the sandbox must let through ---

NETNS = """\
maglev:
  healthchecker: {netns: dataplane}
  healthchecks: {ping: {type: icmp, interval: 500ms, timeout: 400ms}}
  backends: {a: {address: 127.0.0.1, healthcheck: ping}}
  frontends: {f: {address: 192.0.2.1, pools: [{name: p, backends: {a: {}}}]}}
  exporters: {grpc: {cert: /etc/credstore/maglevd.crt, key: /etc/credstore/maglevd.key}}
"""


def test_namespaces_keys_sockets_and_logs_are_within_the_sandbox(machine: Machine) -> None:
    machine.run("install", "-d", "-m", "700", "/etc/credstore")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    make = ["openssl", *words.split(), "-addext", "subjectAltName=DNS:localhost"]
    key, certificate = machine.shared / "key", machine.shared / "crt"
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    machine.write("/etc/credstore/maglevd.key", key.read_text(), 0o600)
    machine.write("/etc/credstore/maglevd.crt", certificate.read_text(), 0o600)
    machine.write(CONFIG, NETNS)
    socket_of_api, audit = "/run/vpp-maglev/grpc.sock", "/var/log/vpp-maglev/audit.log"
    machine.write(DEFAULT, f"MAGLEV_GRPC_SOCKET={socket_of_api}\nMAGLEV_AUDIT_LOG={audit}\n")
    machine.run("systemctl", "restart", "vpp-maglev")
    # Made only now: it must appear in the sandbox, too.
    machine.run("ip", "netns", "add", "dataplane")
    machine.run("ip", "-n", "dataplane", "link", "set", "lo", "up")
    show = ["maglevc", "--server", f"unix:{socket_of_api}", "show", "backend", "a"]
    until(lambda: "L4OK" in machine.try_run(*show).stdout, "a reply in the namespace")
    over_tls = ["maglevc", "--server", "localhost:9090", "--ca", f"{SHARED}/crt", "show", "backend", "a"]
    assert "L4OK" in machine.run(*over_tls)
    # By hand as well: root looks with the eyes of the service.
    assert "valid: 1 frontends" in machine.run("maglevd", "check", "--running", property_of(machine, "MainPID"))
    machine.run("systemctl", "reload", "vpp-maglev")
    until(lambda: "ReloadConfig" in machine.run("cat", audit), "the audit record of the reload")
    assert property_of(machine, "ActiveState") == "active"


def test_nobody_else_reads_the_keys(machine: Machine) -> None:
    for path in ("/run/credentials/vpp-maglev.service/maglevd.key", "/etc/credstore/maglevd.key"):
        done = machine.try_run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "cat", path)
        assert done.returncode != 0


def test_without_keys_and_environment_file_it_starts_all_the_same(machine: Machine) -> None:
    machine.run("systemctl", "stop", "vpp-maglev")
    machine.run("sh", "-c", f"rm -r /etc/credstore/*; rm {DEFAULT}; echo 'maglev: {{dataplane: memory}}' > {CONFIG}")
    machine.run("systemctl", "start", "vpp-maglev", "vpp-maglev-frontend")
    assert property_of(machine, "ActiveState") == "active"
    machine.run("systemctl", "reload", "vpp-maglev")
