"""Shorthands of the tests: load YAML with the fake plugins, and read what the loader complains of."""

from __future__ import annotations

from textwrap import dedent

import pytest

from maglev.api import Problem
from maglev.config import Config, ConfigError, FlagValues, Installed, load_text
from tests.config.fakes import ALL

MINIMAL = """
maglev:
  healthchecks:
    web: {type: http, port: 80}
  backends:
    a: {address: 192.0.2.1, healthcheck: web}
    b: {address: 192.0.2.2, healthcheck: web}
  frontends:
    www:
      address: 203.0.113.80
      protocol: tcp
      port: 80
      pools:
        - {name: primary, backends: {a: {}, b: {}}}
"""


def loaded(text: str, plugins: Installed = ALL, flag_values: FlagValues | None = None) -> Config:
    return load_text(dedent(text), plugins, flag_values=flag_values).config


def warned(text: str, plugins: Installed = ALL) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in load_text(dedent(text), plugins).warnings]


def refused(text: str | bytes, plugins: Installed = ALL, flag_values: FlagValues | None = None) -> ConfigError:
    source = dedent(text) if isinstance(text, str) else text
    with pytest.raises(ConfigError) as caught:
        load_text(source, plugins, file="m.yaml", flag_values=flag_values)
    return caught.value


def complaints(text: str | bytes, plugins: Installed = ALL, flag_values: FlagValues | None = None) -> list[str]:
    return [f"{problem.path}: {problem.message}" for problem in refused(text, plugins, flag_values).problems]


def only_problem(text: str | bytes, plugins: Installed = ALL) -> Problem:
    (problem,) = refused(text, plugins).problems
    return problem
