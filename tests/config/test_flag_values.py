"""Options from flags and the environment win over the file, and are judged by the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maglev.config import Config, FlagValues, collect_flag_values, flagged_options
from maglev.config.faults import MisfitError
from maglev.config.flag_values import plain_from_text
from tests.config.fakes import ALL
from tests.config.wording import complaints, loaded, refused

FILE = 'maglev: {exporters: {grpc: {addr: ":1", reflection: false}}}'


def flag_values(flags: Mapping[str, str], environ: Mapping[str, str] | None = None) -> FlagValues:
    return collect_flag_values(flagged_options(ALL), flags, environ or {})


def with_flags(flags: Mapping[str, str], text: str = FILE) -> Config:
    return loaded(text, flag_values=flag_values(flags))


def test_all_flags_of_installed_plugins_are_listed() -> None:
    listed = [(option.kind, option.plugin, option.field, option.info.flag) for option in flagged_options(ALL)]
    assert listed == [
        ("exporter", "grpc", "addr", "grpc-addr"),
        ("exporter", "grpc", "reflection", "reflection"),
        ("exporter", "prometheus", "addr", "metrics-addr"),
        ("exporter", "prometheus", "slots", "slots"),
        ("dataplane", "vpp", "api_addr", "vpp-api-addr"),
        ("dataplane", "vpp", "stats_addr", "vpp-stats-addr"),
    ]
    assert [option.plugin for option in flagged_options(ALL) if option.is_switch] == ["grpc"]
    assert flagged_options(ALL)[0].default == ":9090"


def test_flag_wins_over_environment_and_environment_over_file() -> None:
    environ = {"MAGLEV_GRPC_ADDR": ":2", "MAGLEV_METRICS_ADDR": ""}
    config = loaded(FILE, flag_values=flag_values({}, environ))
    assert (config.exporters["grpc"].addr, config.exporters["prometheus"].addr) == (":2", "")
    config = loaded(FILE, flag_values=flag_values({"grpc-addr": ":3"}, environ))
    assert (config.exporters["grpc"].addr, config.exporters["grpc"].reflection) == (":3", False)


@pytest.mark.parametrize("text,value", [("true", True), ("1", True), ("on", True), ("False", False), ("no", False)])
def test_switches_know_the_usual_words(text: str, value: bool) -> None:
    assert with_flags({"reflection": text}).exporters["grpc"].reflection is value


def test_wrong_value_names_flag_or_variable() -> None:
    assert complaints(FILE, flag_values=flag_values({"reflection": "perhaps"})) == [
        "--reflection: must be true or false, not 'perhaps'"
    ]
    assert complaints(FILE, flag_values=flag_values({}, {"MAGLEV_SLOTS": "many"})) == [
        "MAGLEV_SLOTS: must be a whole number, not the string 'many'"
    ]
    problem = refused(FILE, flag_values=flag_values({"slots": "1.5"})).problems[0]
    assert str(problem) == "--slots: must be a whole number, not the number 1.5"


def test_flag_mends_what_is_wrong_in_the_file() -> None:
    assert with_flags({"grpc-addr": ":3"}, "maglev: {exporters: {grpc: {addr: 5}}}").exporters["grpc"].addr == ":3"


@pytest.mark.parametrize(
    "text,wanted,value",
    [
        ("5", int, 5),
        ("05", int, "05"),
        ("5", str, "5"),
        ("true", str, "true"),
        ("2s", timedelta, "2s"),
        ("2", timedelta, 2),
        ("/x", Path, "/x"),
        ("a, b,", tuple[str, ...], ["a", "b"]),
        ("1,2", list[int], [1, 2]),
        ("", int | None, None),
        ("", str | None, ""),
        ("7", int | None, 7),
        ("7", int | str, 7),
        ("x", int | str, "x"),
    ],
)
def test_text_becomes_what_would_stand_in_yaml(text: str, wanted: Any, value: object) -> None:
    assert plain_from_text(text, wanted) == value


def test_mappings_cannot_be_given_on_a_command_line() -> None:
    with pytest.raises(MisfitError) as caught:
        plain_from_text("a=b", dict[str, str])
    assert caught.value.faults[0].message == "must be a mapping: it can only be set in the file"
