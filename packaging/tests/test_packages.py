"""The packages on a machine of each release of Debian: installed, upgraded, removed and purged, as dpkg does it.

    make deb-roots pkg-deb test-deb

The machine has no network but its own. The tests of one machine build on each other, in the order that they have here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.machine import SHARED, Machine, started

ROOTS, DEBS = Path(os.environ.get("MAGLEV_TEST_ROOTS", "")), Path(os.environ.get("MAGLEV_TEST_DEBS", ""))
RELEASES = {"bookworm": "deb12", "trixie": "deb13"}
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
CONFIG, DEFAULT = "/etc/vpp-maglev/maglev.yaml", "/etc/default/vpp-maglev"
EDITED = "maglev:\n  dataplane: memory   # mine\n"
NEWER = "# of a newer version\n"
INSTALL = ("dpkg", "--force-confold", "--install")
# What a system writes down about itself.
JOURNALS = ("/var/lib/dpkg", "/var/lib/systemd", "/var/log/journal", "/var/log/dpkg.log", "/var/cache", "/var/tmp")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not ROOTS.name, reason="MAGLEV_TEST_ROOTS and MAGLEV_TEST_DEBS do not say what to try"),
]


@pytest.fixture(scope="module", params=RELEASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine that has the packages, not installed, in its shared folder."""
    codename: str = request.param
    tar = ROOTS / f"{codename}.tar"
    found = list(DEBS.glob(f"*~{RELEASES[codename]}_{ARCHITECTURE}.deb"))
    if not tar.exists() or not found:
        pytest.skip(f"no root or no packages of {codename}: make deb-roots pkg-deb")
    with started(tar) as made:
        for file in found:
            shutil.copy(file, made.shared / f"{file.name.partition('_')[0]}.deb")
        yield made


@pytest.fixture(scope="module")
def before(machine: Machine) -> dict[str, str]:
    """What the machine was like before it ever had the packages."""
    return state(machine)


def state(machine: Machine) -> dict[str, str]:
    """All files of a machine but those of its running services, its users and groups, and what dpkg knows."""
    files = machine.run("find", "/", "-xdev").splitlines()
    return {
        "files": "\n".join(sorted(file for file in files if not file.startswith(JOURNALS) and not file.endswith("-"))),
        "users": machine.run("cat", "/etc/passwd"),
        "groups": machine.run("cat", "/etc/group"),
        "packages": machine.run("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Abbrev}\n"),
        "in /run": machine.run("find", "/run", "-name", "*maglev*"),
    }


def install(machine: Machine, *names: str) -> str:
    """Install packages of the shared folder; what was edited is kept."""
    return machine.run(*INSTALL, *(f"{SHARED}/{name}.deb" for name in names))


def make_newer(machine: Machine) -> None:
    """Make a newer package of the daemon, with other examples, as newer.deb in the shared folder."""
    tree = machine.shared / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", machine.shared / "vpp-maglevd.deb", tree], check=True)
    control = (tree / "DEBIAN/control").read_text()
    (tree / "DEBIAN/control").write_text(control.replace("\nArchitecture", "+newer\nArchitecture"))
    for place in ("etc/vpp-maglev/maglev.yaml", "usr/share/vpp-maglevd/maglev.yaml", "etc/default/vpp-maglev"):
        (tree / place).write_text((tree / place).read_text() + NEWER)
    build(tree, machine.shared / "newer.deb")


def build(tree: Path, package: Path) -> None:
    """Build a package from a folder."""
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(package)]
    subprocess.run(command, check=True, capture_output=True)


def is_active(machine: Machine, unit: str = "vpp-maglev") -> bool:
    """Tell whether a service runs."""
    return machine.try_run("systemctl", "is-active", "--quiet", unit).returncode == 0


def process_of(machine: Machine) -> str:
    """The number of the daemon's process."""
    return machine.run("systemctl", "show", "--value", "--property=MainPID", "vpp-maglev").strip()


# --- installed ---


def test_both_are_installed_without_a_network(machine: Machine, before: dict[str, str]) -> None:
    assert machine.run("ip", "-br", "link").splitlines()[1:] == []  # lo, and no other
    said = install(machine, "vpp-maglevd", "vpp-maglev")
    assert "vpp-maglev.service is enabled and not started: edit /etc/vpp-maglev/maglev.yaml first" in said
    assert machine.run("dpkg", "--audit") == ""


def test_the_daemon_waits_for_a_configuration_and_the_dashboard_to_be_wanted(machine: Machine) -> None:
    assert machine.run("systemctl", "is-enabled", "vpp-maglev").strip() == "enabled"
    assert machine.try_run("systemctl", "is-enabled", "vpp-maglev-frontend").stdout.strip() == "disabled"
    assert not is_active(machine)


def test_the_example_is_valid_and_drives_nothing(machine: Machine) -> None:
    machine.run("maglevd", "check")
    text = machine.inside(CONFIG).read_text()
    assert [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")] == ["maglev:"]


def test_commands_tell_version_and_commit(machine: Machine) -> None:
    version = machine.run("dpkg-query", "--show", "--showformat=${Version}", "vpp-maglevd")
    for command in ("maglevd", "maglevd-frontend", "maglevc", "maglevt"):
        commit = machine.run(command, "--version").partition("commit ")[2].partition(",")[0]
        assert commit
        assert commit.replace("-", ".") in version or "~git" not in version


def test_everything_that_the_daemon_can_is_there(machine: Machine) -> None:
    listed = machine.run("maglevd", "plugins")
    for name in ("http", "https", "tcp", "icmp", "vpp", "grpc", "prometheus"):
        assert name in listed
    inside = "import uvloop, opentelemetry.sdk, opentelemetry.exporter.otlp.proto.http"
    machine.run("/usr/lib/vpp-maglevd/bin/python3", "-c", inside)


def test_only_the_package_and_debians_python_are_run(machine: Machine) -> None:
    system = "/usr/lib/python3/dist-packages/google"
    machine.run("mkdir", "-p", system)
    for place in ("/tmp/attrs.py", f"{system}/__init__.py"):
        machine.write(place, "raise SystemExit(7)\n")
    machine.run("env", "--chdir=/tmp", "PYTHONPATH=/tmp", "maglevd", "plugins")
    machine.run("env", "--chdir=/tmp", "PYTHONPATH=/tmp", "maglevc", "--version")
    machine.run("rm", "-r", system, "/tmp/attrs.py")


def test_bytecode_is_that_of_the_package(machine: Machine) -> None:
    for tree in ("vpp-maglevd", "vpp-maglev"):
        owned = set(machine.run("dpkg", "--listfiles", tree).split("\n"))
        assert [file for file in machine.run("find", f"/usr/lib/{tree}").splitlines() if file not in owned] == []
    assert machine.run("dpkg", "--verify", "vpp-maglevd", "vpp-maglev") == ""


def test_every_module_has_bytecode_that_python_takes(machine: Machine) -> None:
    stale = (
        "import importlib.util as u, os, pathlib, struct, sys\n"
        "for f in pathlib.Path(sys.prefix, 'lib').rglob('*.py'):\n"
        "    head = pathlib.Path(u.cache_from_source(f)).read_bytes()[:16]\n"
        "    source = int(f.stat().st_mtime), f.stat().st_size\n"
        "    if (head[:4], struct.unpack('<II', head[8:])) != (u.MAGIC_NUMBER, source):\n"
        "        print(f)\n"
    )
    for tree in ("vpp-maglevd", "vpp-maglev"):
        assert machine.run(f"/usr/lib/{tree}/bin/python3", "-c", stale) == ""


@pytest.mark.parametrize("page", ["maglevd", "maglevd-frontend", "maglevc", "maglevt", "maglev.yaml"])
def test_manual_pages_are_there(machine: Machine, page: str) -> None:
    assert machine.run("man", "--path", page).startswith("/usr/share/man/")


@pytest.mark.parametrize("command", ["maglevd", "maglevd-frontend", "maglevc", "maglevt"])
def test_completions_are_there(machine: Machine, command: str) -> None:
    package = "vpp-maglevd" if command.startswith("maglevd") else "vpp-maglev"
    files = machine.run("dpkg", "--listfiles", package)
    assert f"/usr/share/bash-completion/completions/{command}\n" in files
    assert f"/usr/share/zsh/vendor-completions/_{command}\n" in files
    assert f"/usr/share/fish/vendor_completions.d/{command}.fish\n" in files


@pytest.mark.parametrize("package", ["vpp-maglevd", "vpp-maglev"])
def test_the_licence_of_all_that_is_inside_is_listed(machine: Machine, package: str) -> None:
    listed = machine.inside(f"/usr/share/doc/{package}/copyright").read_text()
    for folder in machine.run("sh", "-c", f"ls -d /usr/lib/{package}/lib/python*/site-packages/*.dist-info").split():
        if "/maglev" not in folder:
            assert f"{folder[1:]}/*" in listed
    assert (package == "vpp-maglev") == ("maglev_web/static" not in listed)


def test_a_plugin_of_the_administrators_is_found(machine: Machine) -> None:
    site = machine.inside("/usr/local/lib/vpp-maglevd/site-packages")
    (site / "mine-1.0.dist-info").mkdir(parents=True)
    (site / "mine-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (site / "mine-1.0.dist-info/entry_points.txt").write_text("[maglev]\nmine = mine\n")
    (site / "mine.py").write_text("")
    assert "plugin mine (mine): implements no hook" in machine.try_run("maglevd", "plugins").stdout
    machine.run("rm", "-r", "/usr/local/lib/vpp-maglevd")


# --- user and groups ---


def test_it_has_a_user_that_cannot_log_in(machine: Machine) -> None:
    fields = machine.run("getent", "passwd", "maglevd").strip().split(":")
    assert fields[5:] == ["/nonexistent", "/usr/sbin/nologin"]
    assert machine.run("id", "-nG", "maglevd").split() == ["maglevd"]


def test_the_environment_file_is_not_for_everybody(machine: Machine) -> None:
    assert machine.run("stat", "--format=%a %U", DEFAULT).strip() == "640 root"


def test_vpp_that_is_installed_later_lets_it_connect(machine: Machine) -> None:
    tree = machine.shared / "vpp"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: vpp\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@vpp.example>\nDescription: stand-in\n"
    )
    (tree / "DEBIAN/preinst").write_text("#!/bin/sh\ngroupadd --system --force vpp\n")
    (tree / "DEBIAN/preinst").chmod(0o755)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/vpp").write_text("")
    build(tree, machine.shared / "vpp.deb")
    install(machine, "vpp")
    assert machine.run("id", "-nG", "maglevd").split() == ["maglevd", "vpp"]
    machine.run("dpkg", "--purge", "vpp")


# --- upgraded ---


def test_an_upgrade_renews_files_that_nobody_edited_and_starts_nothing(machine: Machine) -> None:
    make_newer(machine)
    install(machine, "newer")
    for path in (CONFIG, DEFAULT):
        assert machine.inside(path).read_text().endswith(NEWER)
    assert not is_active(machine)
    assert machine.run("systemctl", "is-enabled", "vpp-maglev").strip() == "enabled"
    install(machine, "vpp-maglevd")


def test_an_upgrade_keeps_what_was_edited_and_restarts_what_runs(machine: Machine) -> None:
    machine.write(CONFIG, EDITED)
    machine.write(DEFAULT, "MAGLEV_LOG_LEVEL=debug\n")
    machine.run("systemctl", "start", "vpp-maglev")
    process = process_of(machine)
    machine.run("maglevc", "config", "check")
    assert "not restarted" not in install(machine, "newer")
    assert machine.inside(CONFIG).read_text() == EDITED
    assert machine.inside(DEFAULT).read_text() == "MAGLEV_LOG_LEVEL=debug\n"
    assert is_active(machine)
    assert process_of(machine) != process
    assert not is_active(machine, "vpp-maglev-frontend")


def test_an_upgrade_keeps_the_old_daemon_if_the_new_one_would_refuse_the_configuration(machine: Machine) -> None:
    process = process_of(machine)
    machine.write(CONFIG, "maglev: {backends: 7}\n")
    assert "was not restarted and runs as before" in install(machine, "vpp-maglevd")
    assert process_of(machine) == process
    machine.write(CONFIG, EDITED)
    machine.run("systemctl", "restart", "vpp-maglev")


def test_an_upgrade_does_not_start_what_was_stopped(machine: Machine) -> None:
    machine.run("systemctl", "stop", "vpp-maglev")
    install(machine, "newer")
    assert not is_active(machine)


def test_an_upgrade_does_not_enable_what_was_disabled(machine: Machine) -> None:
    machine.run("systemctl", "disable", "vpp-maglev")
    machine.run("systemctl", "enable", "--now", "vpp-maglev-frontend")
    install(machine, "vpp-maglevd")
    assert machine.try_run("systemctl", "is-enabled", "vpp-maglev").stdout.strip() == "disabled"
    assert machine.run("systemctl", "is-enabled", "vpp-maglev-frontend").strip() == "enabled"
    assert is_active(machine, "vpp-maglev-frontend")
    machine.run("systemctl", "enable", "--now", "vpp-maglev")


# --- removed ---


def test_removing_stops_it_and_keeps_what_was_edited(machine: Machine) -> None:
    machine.run("sh", "-c", "maglevc config check; touch /var/lib/vpp-maglev/overrides.json")
    machine.run("dpkg", "--remove", "vpp-maglevd", "vpp-maglev")
    assert not is_active(machine)
    assert not is_active(machine, "vpp-maglev-frontend")
    assert machine.inside(CONFIG).read_text() == EDITED
    machine.run("test", "-e", "/var/lib/vpp-maglev/overrides.json")
    left = machine.run("find", "/usr", "/lib/systemd", "-path", "*vpp-maglev*")
    assert left == ""


def test_installed_again_it_starts_with_what_was_kept(machine: Machine) -> None:
    machine.run("rm", "/var/lib/vpp-maglev/overrides.json")
    install(machine, "vpp-maglevd")
    assert is_active(machine)
    assert machine.inside(CONFIG).read_text() == EDITED


def test_purge_leaves_nothing(machine: Machine, before: dict[str, str]) -> None:
    machine.run(
        "sh", "-c", "groupdel vpp; install -d /var/log/vpp-maglev-frontend; touch /var/log/vpp-maglev/audit.log"
    )
    machine.run("dpkg", "--purge", "vpp-maglevd", "vpp-maglev")
    for what, now in state(machine).items():
        assert set(now.splitlines()) ^ set(before[what].splitlines()) == set(), what


# --- from the original, and back ---


def original(machine: Machine, *names: str) -> None:
    """Make packages that hold what those of vpp-maglev in Go hold, the daemon in the first."""
    for name in names:
        tree = machine.shared / f"original-{name}"
        shutil.rmtree(tree, ignore_errors=True)
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: 1.0.2\nArchitecture: {ARCHITECTURE}\n"
            "Maintainer: nobody <nobody@vpp.example>\nDescription: stand-in for the original\n"
        )
        files = {"usr/bin/maglevc": "original\n"} if name == names[-1] else {}
        if name == names[0]:
            unit = "[Service]\nExecStart=/usr/sbin/maglevd\nType=exec\n[Install]\nWantedBy=multi-user.target\n"
            files |= {
                CONFIG[1:]: "maglev: {}\n",
                DEFAULT[1:]: "MAGLEV_LOG_LEVEL=info\n",
                "usr/sbin/maglevd": "#!/bin/sh\nexec sleep infinity\n",
                "lib/systemd/system/vpp-maglev.service": unit,
            }
            (tree / "DEBIAN/conffiles").write_text(f"{CONFIG}\n{DEFAULT}\n")
        for path, text in files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
            (tree / path).chmod(0o755)
        build(tree, machine.shared / f"original-{name}.deb")


@pytest.mark.parametrize("names", [("vpp-maglev",), ("vpp-maglevd", "vpp-maglev")], ids=["one package", "two packages"])
def test_it_takes_over_from_the_original_and_gives_back(machine: Machine, names: tuple[str, ...]) -> None:
    original(machine, *names)
    install(machine, *(f"original-{name}" for name in names))
    machine.write(CONFIG, EDITED)
    machine.write(DEFAULT, "MAGLEV_LOG_LEVEL=warning\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", "--now", "vpp-maglev")

    install(machine, "vpp-maglev", "vpp-maglevd")
    assert machine.inside(CONFIG).read_text() == EDITED
    assert machine.inside(DEFAULT).read_text() == "MAGLEV_LOG_LEVEL=warning\n"
    machine.run("systemctl", "restart", "vpp-maglev")
    assert "commit" in machine.run("maglevd", "--version")
    machine.run("maglevc", "config", "check")

    machine.run("dpkg", "--remove", "vpp-maglevd", "vpp-maglev")
    install(machine, *(f"original-{name}" for name in names))
    assert machine.inside(CONFIG).read_text() == EDITED
    assert machine.run("cat", "/usr/bin/maglevc") == "original\n"
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "vpp-maglev")
    machine.run("systemctl", "disable", "--now", "vpp-maglev")
    machine.run("dpkg", "--purge", "vpp-maglevd", "vpp-maglev")
