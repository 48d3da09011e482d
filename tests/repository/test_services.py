"""The files that packages and containers bring: what they name exists, and what they say holds.

`make try-services` and `make try-container` try them where they run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from maglev.cli.options import core_options, own_flags
from maglev.config import load
from maglev.library import installed
from maglev_web.command import command as frontend
from tools.container import ignored, instructions

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
EXAMPLE = PACKAGING / "etc/maglev.yaml"
UNITS = {"vpp-maglev": 40, "vpp-maglev-frontend": 25}
"""How exposed each unit may be at most, in tenths, as `systemd-analyze security` counts."""
ELSEWHERE = {
    "MAGLEV_FRONTEND_ARGS",  # options, by the unit
    "MAGLEV_FRONTEND_USER",
    "MAGLEV_FRONTEND_PASSWORD",
    "MAGLEV_HEALTH_URL",  # the containers' health check
    "MAGLEV_IMAGE",  # compose.yaml
    "MAGLEV_CONFIG_FOLDER",
    "COMPOSE_PROFILES",
    "COMPOSE_PROJECT_NAME",
    "VPP_GID",
}


def variables() -> dict[str, str | None]:
    """The environment variables of maglevd and the dashboard, and their defaults."""
    plugins = installed()
    named: dict[str, str | None] = {}
    for option in (*core_options(), *frontend().params):
        names = [option.envvar] if isinstance(option.envvar, str) else option.envvar or ()
        named |= dict.fromkeys(names, None if option.default is None else str(option.default))
    return named | {one.info.envvar: str(one.default) for one in own_flags(plugins)}


@pytest.mark.parametrize(
    "file", [PACKAGING / "etc/default/vpp-maglev", ROOT / ".env.example"], ids=lambda path: path.name
)
def test_an_environment_file_names_variables_that_are_read(file: Path) -> None:
    lines = re.findall(r"^#?([A-Z_]+)=(.*)$", file.read_text(), re.MULTILINE)
    known = variables()
    assert [name for name, _ in lines if name not in known and name not in ELSEWHERE] == []
    # What is commented out is the default, or is there to be changed.
    shown = {name: value for name, value in lines if known.get(name) and value}
    unequal = {name for name, value in shown.items() if value != known[name]}
    assert unequal <= {"MAGLEV_OBSERVE", "MAGLEV_AUDIT_LOG", "MAGLEV_GRPC_SOCKET"}


def test_the_example_is_valid_and_drives_nothing() -> None:
    config = load(EXAMPLE, installed()).config
    assert (config.backends, config.frontends, config.healthchecks) == ({}, {}, {})


def test_the_example_is_valid_without_its_comment_signs(tmp_path: Path) -> None:
    head, _, rest = EXAMPLE.read_text().partition("\nmaglev:\n")
    assert all(line.startswith("#") for line in head.splitlines())
    text = "maglev:\n" + re.sub(r"^  # ?", "  ", rest, flags=re.MULTILINE)
    file = tmp_path / "maglev.yaml"
    file.write_text(re.sub(r".*/etc/credstore/.*\n", "", text))
    loaded = load(file, installed())
    assert loaded.warnings == ()
    assert set(loaded.config.frontends) == {"site"}


def test_the_configuration_of_the_original_is_valid_unchanged() -> None:
    loaded = load(PACKAGING / "tests/services/original/maglev.yaml", installed())
    assert len(loaded.config.frontends) == 2


@pytest.mark.parametrize("unit,tenths", UNITS.items())
def test_a_unit_is_hardened(unit: str, tenths: int) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd here")
    file = PACKAGING / f"systemd/{unit}.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={tenths}", file],
        check=False,
        capture_output=True,
        text=True,
    )
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd judges no files")
    assert done.returncode == 0, done.stdout


def test_the_keys_that_the_pages_name_are_given_to_the_services() -> None:
    page = (ROOT / "docs/how-to/run-as-a-service.md").read_text()
    for unit in UNITS:
        text = (PACKAGING / f"systemd/{unit}.service").read_text()
        given = re.findall(r"^LoadCredential=(\S+)$", text, re.MULTILINE)
        (row,) = re.findall(rf"^\| `{unit}` \| (.*) \|$", page, re.MULTILINE)
        assert re.findall(r"`([^`]+)`", row) == given


# --- the container ---


def test_the_dockerfile_starts_what_the_repository_has() -> None:
    named = {
        word for each in instructions((ROOT / "Dockerfile").read_text()) if each.name == "COPY" for word in each.words
    }
    assert all((ROOT / name).exists() for name in named if name.startswith("packaging/"))


def test_compose_has_a_profile_for_each_service_and_gives_no_more_than_it_says() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert {name: each["profiles"] for name, each in services.items()} == {name: [name] for name in services}
    assert {name: each.get("cap_add", []) for name, each in services.items()} == {
        "frontend": [],
        "maglevd": ["NET_RAW"],
        "maglevd-netns": ["NET_RAW", "SYS_ADMIN"],
    }
    assert all(each["read_only"] and each["cap_drop"] == ["ALL"] for each in services.values())


def test_a_dockerfile_is_taken_apart() -> None:
    text = '# no\nARG A=1\nFROM x:${A} AS y\nRUN a \\\n  # no\n  && b "c d"\nCMD ["e", "f g"]\nenv H=i\n'
    assert [(each.name, each.words) for each in instructions(text)] == [
        ("ARG", ["A=1"]),
        ("FROM", ["x:${A}", "AS", "y"]),
        ("RUN", ["a", "&&", "b", "c d"]),
        ("CMD", ["e", "f g"]),
        ("ENV", ["H=i"]),
    ]


def test_what_git_ignores_and_a_build_makes_is_not_sent_to_an_engine() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    left_out = [pattern.removeprefix("./") for pattern in ignored(ROOT)]
    assert {".venv", ".env", "dist", "node_modules"} <= set(left_out)
    # A file that git knows and the wheels' build does not find makes a commit that is called dirty.
    found = {part for path in tracked.split() for part in (path, *path.split("/"))}
    assert found.isdisjoint(left_out)


HEALTH = PACKAGING / "container/health"


@pytest.mark.parametrize(
    "program,environment,wanted",
    [
        ("maglevd", {}, "http://127.0.0.1:9091/healthz"),
        ("maglevd", {"MAGLEV_METRICS_ADDR": ":9191"}, "http://127.0.0.1:9191/healthz"),
        ("maglevd", {"MAGLEV_METRICS_ADDR": "0.0.0.0:9191"}, "http://127.0.0.1:9191/healthz"),
        ("maglevd", {"MAGLEV_METRICS_ADDR": "[::]:9191"}, "http://[::1]:9191/healthz"),
        ("maglevd", {"MAGLEV_METRICS_ADDR": "192.0.2.1:9191"}, "http://192.0.2.1:9191/healthz"),
        ("maglevd", {"MAGLEV_METRICS_ADDR": ""}, ""),
        ("maglevd", {"MAGLEV_HEALTH_URL": "https://x/healthz", "MAGLEV_METRICS_ADDR": ""}, "https://x/healthz"),
        ("maglevd", {"MAGLEV_FRONTEND_LISTEN": ":8888"}, "http://127.0.0.1:9091/healthz"),
        ("maglevd-frontend", {}, "http://127.0.0.1:8080/healthz"),
        ("maglevd-frontend", {"MAGLEV_LISTEN": ":1", "MAGLEV_FRONTEND_LISTEN": ":2"}, "http://127.0.0.1:2/healthz"),
        ("maglevd-frontend", {"MAGLEV_HEALTH_URL": ""}, ""),
    ],
)
def test_health_is_asked_where_the_service_listens(
    program: str, environment: dict[str, str], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("MAGLEV_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code: dict[str, object] = {"__name__": "health"}
    exec(compile(HEALTH.read_text(), str(HEALTH), "exec"), code)
    assert code["url"](f"/opt/maglevd/bin/python3\0/opt/maglevd/bin/{program}\0") == wanted  # type: ignore[operator]


def test_who_does_not_answer_is_not_healthy() -> None:
    environment = {"PATH": os.environ["PATH"], "MAGLEV_HEALTH_URL": "http://127.0.0.1:1/healthz"}
    done = subprocess.run([sys.executable, HEALTH], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "refused" in done.stdout
