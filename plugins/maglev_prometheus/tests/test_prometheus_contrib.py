"""Rules, dashboards and docs speak of metrics that exist, and do what they say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from maglev_prometheus.catalogue import FAMILIES, Family
from tools.reference.metrics import page

ROOT = Path(__file__).parents[3]
CONTRIB = ROOT / "contrib"
RULES = CONTRIB / "prometheus/maglev.rules.yml"
TESTS = CONTRIB / "prometheus/maglev.rules.test.yml"
ALL_TESTS = sorted((CONTRIB / "prometheus").glob("*.rules.test.yml"))
DASHBOARDS = sorted((CONTRIB / "grafana").glob("*.json"))

OF_THE_PROCESS = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
}
OF_SCRAPING = {"instance", "job", "le"}
MADE_BY_RULES = re.compile(r"[a-z_]{3,}:[a-z0-9_:]+")


def promtool(*arguments: object, said: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run promtool, where there is one: CI installs it."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("there is no promtool (Debian's package prometheus)")
    return subprocess.run(
        [program, *map(str, arguments)], input=said, capture_output=True, text=True, check=False, timeout=60
    )


def samples(family: Family) -> set[str]:
    """The names of a family's samples."""
    if family.kind == "histogram":
        return {f"{family.name}_{suffix}" for suffix in ("bucket", "count", "sum")}
    return {family.name}


LABELS = {sample: {*family.labels, *OF_SCRAPING} for family in FAMILIES for sample in samples(family)}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def of_rules() -> Iterator[tuple[str, str]]:
    """The names and expressions of all rules."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]


def found(value: Any, key: str) -> Iterator[str]:
    """All texts under a key, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get(key), str):
            yield value[key]
        for inner in value.values():
            yield from found(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from found(inner, key)


def of_dashboards() -> Iterator[tuple[str, str]]:
    """The names of all dashboards, and their expressions with the variables filled in."""
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        for expression in found(dashboard, "expr"):
            yield path.name, re.sub(r"\$\w+", "x", expression.replace("$__rate_interval", "5m"))


EXPRESSIONS = [*of_rules(), *of_dashboards()]


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics that an expression selects, and the labels by which."""
    for match in re.finditer(r"\b((?:maglev|process)_\w+)(?:\{([^}]*)\})?", expression):
        if ":" not in expression[max(0, match.start() - 1) : match.end() + 1]:
            yield match[1], set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", match[2] or ""))


def test_there_is_something_to_look_at() -> None:
    assert len(DASHBOARDS) == 1
    assert len(EXPRESSIONS) > 60


@pytest.mark.parametrize("name, expression", EXPRESSIONS, ids=[str(at) for at in range(len(EXPRESSIONS))])
def test_expressions_use_metrics_and_labels_that_exist(name: str, expression: str) -> None:
    for metric, labels in selectors(expression):
        assert metric in LABELS or metric in OF_THE_PROCESS, name
        assert labels <= LABELS.get(metric, OF_SCRAPING), f"{name}: {metric}"


def test_groupings_use_labels_that_exist() -> None:
    known = set().union(*LABELS.values())
    for name, expression in EXPRESSIONS:
        for group in re.findall(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)", expression):
            assert {label.strip() for label in group.split(",")} <= known, name


def test_recorded_names_that_are_used_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    used = {name for _, expression in EXPRESSIONS for name in MADE_BY_RULES.findall(expression)}
    assert used <= recorded


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {metric for _, expression in of_dashboards() for metric, _labels in selectors(expression)}
    assert {family.name for family in FAMILIES if not samples(family) & shown} == set()


def test_every_alert_is_tested_firing_and_not_firing() -> None:
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    tested: dict[bool, set[str]] = {True: set(), False: set()}
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for part in test.get("alert_rule_test", ()):
            tested[bool(part["exp_alerts"])].add(part["alertname"])
    assert tested == {True: alerts, False: alerts}


def test_every_recording_rule_is_tested() -> None:
    tests = yaml.safe_load(TESTS.read_text())["tests"]
    tested = {part["expr"] for test in tests for part in test.get("promql_expr_test", ())}
    assert {rule["record"] for rule in rules() if "record" in rule} <= tested


def test_every_alert_says_what_to_look_at() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
            assert "$labels.instance" in rule["annotations"]["summary"]


@pytest.mark.parametrize("tests", ALL_TESTS, ids=lambda path: path.name)
def test_promtool_passes_the_unit_tests_of_the_rules(tests: Path) -> None:
    ran = promtool("test", "rules", tests)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_rules_for_those_who_come_from_vpp_maglev_map_every_operation_and_are_tested() -> None:
    file = CONTRIB / "prometheus/vpp-maglev.rules.yml"
    (group,) = yaml.safe_load(file.read_text())["groups"]
    expressions = {rule["record"]: rule["expr"] for rule in group["rules"]}
    for name, expression in expressions.items():
        assert {metric for metric, _ in selectors(expression)} == {name.removeprefix("vpp_maglev:")} <= LABELS.keys()
    kinds = ("add-vip", "delete-vip", "add-server", "delete-server", "set-weight")
    assert [kind for kind in kinds if f'"{kind}")' not in expressions["vpp_maglev:maglev_vpp_lbsync_total"]] == []
    tests = yaml.safe_load(file.with_name("vpp-maglev.rules.test.yml").read_text())["tests"]
    assert {part["expr"] for test in tests for part in test["promql_expr_test"]} == expressions.keys()


def test_promtool_takes_rules_and_configuration() -> None:
    ran = promtool("check", "config", CONTRIB / "prometheus/prometheus.yml")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_promtool_takes_every_expression_of_the_dashboards(tmp_path: Path) -> None:
    made = [{"record": f"expression:{at}", "expr": text} for at, (_, text) in enumerate(of_dashboards())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": made}]}))
    ran = promtool("check", "rules", file)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_panels_do_not_overlap() -> None:
    for path in DASHBOARDS:
        taken: dict[tuple[int, int], str] = {}
        for panel in json.loads(path.read_text())["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_every_family_is_explained() -> None:
    text = page()
    for family in FAMILIES:
        assert f"\n## {family.name}\n" in text
        assert family.help[-1] != "."
