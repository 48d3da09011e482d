"""The JSON schema accepts what the loader reads, and refuses the usual mistakes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from jsonschema import Draft202012Validator

from maglev.api import Checker, option
from maglev.config import PluginSet
from maglev.config.document import read_document
from maglev.config.json_schema import object_schema, schema
from tests.config.fakes import ALL, FakeChecker

ROOT = Path(__file__).parents[2]
VALIDATOR = Draft202012Validator(schema(ALL))


def example(name: str = "maglevd") -> dict[str, Any]:
    data: dict[str, Any] = read_document((ROOT / f"examples/{name}.yaml").read_bytes()).data
    return copy.deepcopy(data)


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema(ALL))
    Draft202012Validator.check_schema(schema(PluginSet()))


@pytest.mark.parametrize("name", ["maglevd", "minimal"])
def test_examples_are_valid(name: str) -> None:
    assert list(VALIDATOR.iter_errors(example(name))) == []


def test_durations_may_be_numbers_and_sections_may_be_empty() -> None:
    data = example()
    data["maglev"]["healthchecks"]["web"]["interval"] = 1.5
    data["maglev"]["healthchecks"]["web"]["params"] = None
    data["maglev"]["vpp"]["lb"]["weight-step"] = 5
    data["maglev"]["exporters"]["grpc"] = None
    data["maglev"]["healthchecks"]["web"]["probe-ipv6-src"] = None
    data["maglev"]["vpp"]["lb"]["ipv6-src-address"] = None
    assert list(VALIDATOR.iter_errors(data)) == []


def test_link_local_addresses_name_their_interface() -> None:
    data = example()
    data["maglev"]["backends"]["near"] = {"address": "fe80::1%eth0"}
    data["maglev"]["healthchecks"]["web"]["probe-ipv6-src"] = "FE80::9%3"
    assert list(VALIDATOR.iter_errors(data)) == []


Change = Callable[[dict[str, Any]], object]

MISTAKES: dict[str, Change] = {
    "unknown key at the top": lambda m: m.update(frontend={}),
    "unknown key in a frontend": lambda m: m["frontends"]["dns"].update(adress="192.0.2.1"),  # codespell:ignore
    "weight out of range": lambda m: m["frontends"]["web-v4"]["pools"][0]["backends"].update(x={"weight": 101}),
    "weight as a string": lambda m: m["frontends"]["web-v4"]["pools"][0]["backends"].update(x={"weight": "10"}),
    "empty pool": lambda m: m["frontends"]["dns"]["pools"][0].update(backends={}),
    "no pools": lambda m: m["frontends"]["dns"].update(pools=[]),
    "missing address": lambda m: m["backends"].update(new={"healthcheck": "web"}),
    "no address": lambda m: m["backends"].update(new={"address": "localhost"}),
    "duration without unit": lambda m: m["healthchecks"]["web"].update(interval="5"),
    "duration of another kind": lambda m: m["healthchecks"]["web"].update(timeout="1 minute"),
    "type of a plugin that is not there": lambda m: m["healthchecks"]["web"].update(type="gopher"),
    "option of another type": lambda m: m["healthchecks"]["redis"]["params"].update(path="/"),
    "option of the wrong form": lambda m: m["healthchecks"]["web"]["params"].update(headers=["a"]),
    "no port where one is needed": lambda m: m["healthchecks"]["web"].pop("port"),
    "table of an odd length": lambda m: m["vpp"]["lb"].update({"new-flow-table-length": 1000}),
    "wrong choice": lambda m: m["frontends"]["cache"].update({"when-none-up": "panic"}),
    "boolean in other words": lambda m: m["frontends"]["cache"].update({"flush-on-down": "yes"}),
    "unknown exporter": lambda m: m["exporters"].update(carbon={}),
    "unknown dataplane": lambda m: m.update(dataplane="ipvs"),
    "source of the wrong family": lambda m: m["vpp"]["lb"].update({"ipv4-src-address": "2001:db8::1"}),
    "link-local without its interface": lambda m: m["backends"].update(new={"address": "fe80::1"}),
    "interface of another address": lambda m: m["backends"].update(new={"address": "2001:db8::1%eth0"}),
    "VIP with an interface": lambda m: m["frontends"]["dns"].update(address="fe80::1%eth0"),
    "probes from nowhere": lambda m: m["healthchecks"]["web"].update({"probe-ipv6-src": "fe80::1"}),
    "name with a blank at its end": lambda m: m["backends"].update({"a ": {"address": "192.0.2.1"}}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_refused(mistake: str) -> None:
    data = example()
    MISTAKES[mistake](data["maglev"])
    assert list(VALIDATOR.iter_errors(data)) != []


def test_help_defaults_and_examples_are_shown() -> None:
    maglev = schema(ALL)["properties"]["maglev"]["properties"]
    interval = maglev["healthchecks"]["additionalProperties"]["properties"]["interval"]
    assert interval["default"] == "2s"
    assert interval["description"].startswith("Time between the starts of two probes")
    assert maglev["vpp"]["properties"]["lb"]["properties"]["weight-step"]["default"] == "auto"
    assert maglev["vpp"]["properties"]["api-addr"]["default"] == "/run/vpp/api.sock"


def test_secret_is_marked_and_params_with_a_required_option_are_required() -> None:
    @attrs.frozen
    class Options:
        token: str = option(help="What to say", secret=True)

    class Picky(FakeChecker):
        name = "picky"

    Picky.Options = Options
    checkers: dict[str, type[Checker]] = {"picky": Picky}
    assert object_schema(Options)["properties"]["token"]["writeOnly"] is True
    validator = Draft202012Validator(schema(PluginSet(checkers=checkers)))
    bare = {"maglev": {"healthchecks": {"a": {"type": "picky", "port": 1}}}}
    assert [error.validator for error in validator.iter_errors(bare)] == ["required"]
