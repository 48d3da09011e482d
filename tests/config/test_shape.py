"""Problems of shape: what does not have the right form, all of it at once, each with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from maglev.api import option
from maglev.config import ConfigError, load, load_mapping
from maglev.config.faults import MisfitError
from maglev.config.structure import Structurer
from tests.config.fakes import ALL
from tests.config.wording import MINIMAL, complaints, loaded, only_problem, refused


def test_message_has_file_line_column_and_path() -> None:
    problem = only_problem(MINIMAL.replace("port: 80}", "port: eighty}"))
    assert str(problem) == (
        "m.yaml:4:29: maglev.healthchecks.web.port: must be a whole number, not the string 'eighty'"
    )


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    error = refused(
        """
        maglev:
          backends:
            a: {address: 192.0.2.1, enabled: no}
            b: {adress: 192.0.2.2}  # codespell:ignore
            c: {address: 192.0.2.3, healthcheck: 5}
          frontends:
            f: {address: 203.0.113.1, pools: [{name: p, backends: {c: {weight: "10"}}}], ports: 80}
        """
    )
    assert error.status == 1
    assert [(problem.path, problem.message) for problem in error.problems] == [
        ("maglev.backends.a.enabled", "must be true or false, not the string 'no'"),
        ("maglev.backends.b", "the key 'address' is missing"),
        ("maglev.backends.b.adress", "unknown key 'adress'; did you mean 'address'?"),  # codespell:ignore
        ("maglev.backends.c.healthcheck", "must be a string, not the number 5; put it in quotes"),
        (
            "maglev.frontends.f.pools[0].backends.c.weight",
            "must be a whole number, not the string '10'; write it without quotes or leading zeros",
        ),
        ("maglev.frontends.f.ports", "unknown key 'ports'; did you mean 'port'?"),
    ]
    assert [problem.line for problem in error.problems] == [4, 5, 5, 6, 8, 8]
    assert str(error).count("\n") == 5


@pytest.mark.parametrize(
    "text,message",
    [
        ("", "the document is empty: a mapping with the key 'maglev' is needed"),
        ("# only a comment", "the document is empty"),
        ("[1, 2]", "the whole must be a mapping"),
        ("maglev", "the whole must be a mapping"),
        ("{}", "the key 'maglev' is missing"),
        ("maglev: 5", "must be a mapping, not the number 5"),
        ("maglev: {}\nvpp: {}", "unknown key 'vpp'; everything must be below 'maglev'"),
        ("maglev: {frontend: {}}", "unknown key 'frontend'; did you mean 'frontends'?"),
        ("maglev: {colour: red}", "unknown key 'colour'; known here: healthchecker, dataplane"),
        ("maglev: {backends: [a]}", "must be a mapping, not a list"),
        ("maglev: {dataplane: 5}", "must be a string, not the number 5"),
        ("maglev: {memory: 5}", "must be a mapping, not the number 5"),
        ("maglev: {memory: {lb: {weight-step: odd}}}", "must be a whole number or auto, not the string 'odd'"),
        ("maglev: {memory: {lb: {sync-interval: 1:30}}}", "'1:30' is not a duration"),
        ("maglev: {memory: {lb: {sync-interval: [5]}}}", "must be a duration such as 500ms, 2s, 1m30s, 1h or 14d"),
        ("maglev: {memory: {lb: {sync-interval: true}}}", "not true"),
        ("maglev: {memory: {lb: {ipv4-src-address: here}}}", "must be an IPv4 address, not the string 'here'"),
        ("maglev: {memory: {depth: 5}}", "unknown key 'depth'; known here: nothing"),
        ("maglev: {exporters: {grpc: {reflection: yes}}}", "must be true or false, not the string 'yes'"),
        ("maglev: {exporters: {prometheus: {probe-histogram: b}}}", "must be backend or type, not the string 'b'"),
        ("maglev: {backends: {a: {address: 192.0.2.0/24}}}", "an address without a prefix length is needed"),
        ("maglev: {backends: {a: }}", "the key 'address' is missing"),
        ("maglev: {frontends: {f: {address: 192.0.2.1, pools: {}}}}", "must be a list, not a mapping"),
        ("maglev: {healthchecks: {h: {type: http, port: 80.0}}}", "must be a whole number, not the number 80.0"),
        ("maglev: {healthchecks: {h: {type: http, port: true}}}", "must be a whole number, not true"),
        ("maglev: {healthchecks: {h: {type: http, port: 012}}}", "without quotes or leading zeros"),
        ("maglev: {healthchecks: {h: {type: http, port: 80, params: [a]}}}", "must be a mapping, not a list"),
        (
            "maglev: {healthchecks: {h: {type: http, port: 80, params: {path: 1.5}}}}",
            "must be a string, not the number 1.5; put it in quotes",
        ),
        ("maglev: {healthchecks: {h: {type: http, port: 80, params: {headers: {a: 1}}}}}", "must be a string"),
        ("a:\n\tb", "only spaces may indent"),
        (b"maglev: \xff", "not UTF-8"),
        ("maglev: {}\nmaglev: {}", "the key 'maglev' is repeated; the first is in line 1"),
    ],
)
def test_wrong_shape_is_refused(text: str | bytes, message: str) -> None:
    error = refused(text)
    assert error.status == 1
    assert any(message in problem.message for problem in error.problems), str(error)


def test_empty_sections_are_no_error() -> None:
    config = loaded("maglev: {backends: , frontends: , memory: , exporters: {grpc: }, healthchecker: }")
    assert config.dataplane == "memory"
    assert config.healthchecker.transition_history == 5


def test_shape_error_hides_no_meaning_error_elsewhere() -> None:
    wrong = MINIMAL.replace("a: {address: 192.0.2.1, ", "a: {adress: 192.0.2.1, ")  # codespell:ignore
    text = wrong.replace("b: {}}}", "b: {}, c: {}}}")
    error = refused(text)
    assert error.status == 1
    assert [problem.severity for problem in error.problems] == ["shape", "shape", "meaning"]
    assert error.problems[2].message == "there is no backend 'c'"


def test_unknown_key_does_not_hide_the_meaning_of_its_own_frontend() -> None:
    text = MINIMAL.replace("protocol: tcp", "protocols: tcp")
    assert len(complaints(text)) == 2
    assert complaints(text)[1].startswith("maglev.frontends.www.port: port 80 needs `protocol: tcp`")


def test_what_could_not_be_read_is_not_called_missing() -> None:
    text = MINIMAL.replace("backends: {a: {}, b: {}}", "backends: {a: {weight: x}}").replace(
        "web: {type: http", "web: {type: 5"
    )
    assert [line.partition(":")[0] for line in complaints(text)] == [
        "maglev.healthchecks.web.type",
        "maglev.frontends.www.pools[0].backends.a.weight",
    ]


def test_secrets_are_not_repeated() -> None:
    text = "maglev: {healthchecks: {h: {type: https, port: 1, params: {password: 12345}}}}"
    assert "12345" not in str(refused(text))
    assert "password: must be a string, not the number (secret)" in str(refused(text))


def test_odd_names_stand_in_quotes_in_paths() -> None:
    assert "maglev.backends['a.b'].x" in str(refused("maglev: {backends: {a.b: {address: 192.0.2.1, x: 1}}}"))


def test_file_that_cannot_be_read_is_a_shape_error(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            load(path, ALL)
        assert caught.value.status == 1


def test_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("maglev: 1")
    with pytest.raises(ConfigError, match=f"^{path}:1:9: maglev: must be a mapping"):
        load(path, ALL)


def test_plain_data_has_paths_and_no_places() -> None:
    with pytest.raises(ConfigError, match=r"^maglev\.backends: must be a mapping, not a string|not the string 'a'"):
        load_mapping({"maglev": {"backends": "a"}}, ALL)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen
class Inner:
    size: int = option(help="")


@attrs.frozen
class Everything:
    text: str = option("", help="")
    raw: bytes = option(b"", help="")
    real: float = option(1.0, help="")
    wait: timedelta = option(timedelta(), help="")
    colour: Colour = option(Colour.RED, help="")
    file: Path | None = option(None, help="")
    names: Sequence[str] = option((), help="")
    pair: tuple[int, str] = option((1, "a"), help="")
    unique: frozenset[int] = option(frozenset(), help="")
    inner: Inner | None = option(None, help="")
    table: Mapping[str, Inner] = option(factory=dict, help="")
    either: int | Literal["auto"] = option("auto", help="")
    server: IPv4Address | None = option(None, help="")
    anything: Any = option(None, help="")


def test_every_documented_type_can_be_an_option() -> None:
    made = Structurer().structure(
        {
            "text": "a",
            "raw": "é",
            "real": 2,
            "wait": "1s",
            "colour": "blue",
            "file": "/x",
            "names": ["a"],
            "pair": [1, "x"],
            "unique": [1, 1],
            "inner": {"size": 1},
            "table": {"a": {"size": 2}},
            "either": 5,
            "server": "192.0.2.1",
            "anything": [1, {"a": None}],
        },
        Everything,
    )
    assert made == Everything(
        text="a",
        raw="é".encode(),
        real=2.0,
        wait=timedelta(seconds=1),
        colour=Colour.BLUE,
        file=Path("/x"),
        names=("a",),
        pair=(1, "x"),
        unique=frozenset({1}),
        inner=Inner(1),
        table={"a": Inner(2)},
        either=5,
        server=IPv4Address("192.0.2.1"),
        anything=[1, {"a": None}],
    )


@pytest.mark.parametrize(
    "key,value",
    [
        ("text", 5),
        ("raw", 5),
        ("real", "2"),
        ("real", True),
        ("wait", {}),
        ("colour", "green"),
        ("colour", True),
        ("file", ""),
        ("file", 5),
        ("names", "a"),
        ("names", [1]),
        ("pair", 5),
        ("pair", [1, 2, 3]),
        ("unique", {"a": 1}),
        ("inner", {"size": "1"}),
        ("inner", []),
        ("table", {"a": 5}),
        ("either", "5"),
        ("server", "2001:db8::1"),
    ],
)
def test_nothing_is_coerced(key: str, value: object) -> None:
    with pytest.raises(MisfitError) as caught:
        Structurer().structure({key: value}, Everything)
    assert caught.value.faults[0].path[0] == key


def test_a_flood_of_misspelt_names_is_bounded() -> None:
    backends = ", ".join(f"backend-{n}: {{address: 10.0.{n >> 8}.{n & 255}}}" for n in range(3000))
    members = ", ".join(f"bakend-{n}: {{}}" for n in range(3000))
    frontend = f"{{address: 192.0.2.1, pools: [{{name: p, backends: {{{members}}}}}]}}"
    assert len(refused(f"maglev: {{backends: {{{backends}}}, frontends: {{f: {frontend}}}}}").problems) == 3000
