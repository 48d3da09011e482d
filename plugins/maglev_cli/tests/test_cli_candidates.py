"""`?`, TAB and the shells' completion offer the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

from maglev_cli.editing import complete, completions
from maglev_cli.forms import FORMS, SHOWN
from maglev_cli.grammar import Argument, Form, WrongCommand, candidates, next_of, parse, split
from maglev_cli.help import END, commands_view, next_view
from maglev_cli.names import FRESH_S, Names
from maglev_cli.render import text_of
from maglev_grpc.proto.maglev.v1 import maglev_pb2 as pb
from plugins.maglev_cli.tests.test_cli_grammar import written

BACKEND, FRONTEND, POOL, MEMBER = (
    Argument(name, "", source=name) for name in ("backend", "frontend", "pool", "member")
)


class Reader:
    """Tells names, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hangs = False

    async def read(self, name: str, request: object) -> object:
        self.asked.append(name)
        if self.hangs:
            await anyio.sleep_forever()
        if name == "ListBackends":
            return pb.ListBackendsResponse(backends=[pb.Backend(name=name) for name in ("ams-1", "ams-2", "fra-1")])
        members = [pb.Member(pool="a", backend="ams-1"), pb.Member(pool="b", backend="fra-1")]
        return pb.ListFrontendsResponse(frontends=[pb.Frontend(name="web", pools=["a", "b"], members=members)])


@attrs.define
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


def offered(line: str, *names: str) -> list[str]:
    return [found.text for found in candidates(FORMS, split(line), lambda _argument, _values: names)]


@given(form=st.sampled_from(SHOWN), data=st.data())
def test_the_next_item_of_any_form_may_follow_its_beginning(form: Form, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(form.words.places) - 1))
    begun = "".join(f"{word} " for word in written(form)[:length])
    labels = {item.label for _, item in next_of(FORMS, split(begun)).items}
    assert form.words.places[length][0].label in labels


WORDS = ("show", "set", "ba", "backend", "x", "frontends", "sync", "vpp", "lb", "state", "watch", "events")


@given(words=st.lists(st.sampled_from(WORDS)))
def test_whatever_is_offered_can_be_gone_on_with(words: list[str]) -> None:
    line = "".join(f"{word} " for word in words)
    try:
        found = offered(line, "some-name")
    except WrongCommand:
        return
    for text in found:
        next_of(FORMS, split(f"{line}{text} "))  # raises if that were wrong


def test_words_and_names_are_offered_by_their_beginning() -> None:
    assert offered("sh") == ["show"]
    assert offered("show f") == ["frontends", "frontend", "flow"]
    assert offered("show backend a", "ams-1", "fra-1") == ["ams-1"]
    assert offered("sync vpp lb state ", "web") == ["web", "recreate", "prune", "dry-run"]
    assert offered("sh ba ", "ams-1") == ["ams-1"]


def test_nothing_is_offered_after_nonsense() -> None:
    with pytest.raises(WrongCommand):
        offered("foo ")


def help_for(line: str) -> str:
    return text_of(next_view(split(line)))


def test_help_shows_what_can_follow_and_whether_the_line_may_end() -> None:
    assert help_for("show vpp ") == "info  the connection to the dataplane\nlb    load balancing\n"
    assert END in help_for("show vpp lb state ")
    assert END not in help_for("show vpp lb stat")
    assert help_for("sho") == "show  show objects and their state\n"


def test_help_in_the_middle_of_a_value_is_that_of_the_argument() -> None:
    assert help_for("show flow web 192.0.2.1 80").startswith("<source-port>  the client's port")


def test_help_after_nonsense_says_so() -> None:
    with pytest.raises(WrongCommand, match="nothing here begins with 'x'"):
        help_for("show x")


def test_help_lists_every_command() -> None:
    text = text_of(commands_view())
    assert all(form.syntax in text for form in SHOWN)


class KnownNames(Names):
    """Knows some names, and asks nobody."""

    def __init__(self, *names: str) -> None:
        super().__init__(cast("Any", Reader()))
        self._names = names

    def known(self, argument: Argument, values: Mapping[str, str]) -> tuple[str, ...]:
        return self._names


@pytest.mark.parametrize(
    "line,names,done",
    [
        ("sh", (), "show "),
        ("show ba", (), "show backend"),
        ("show backend f", ("ams-1", "fra-1"), "show backend fra-1 "),
        ("show backend ", ("ams-1", "ams-2"), "show backend ams-"),
        ("show backend o", ("odd?",), "show backend 'odd?' "),
    ],
)
def test_tab_writes_what_is_clear(line: str, names: tuple[str, ...], done: str) -> None:
    buffer = Buffer(document=Document(line))
    assert complete(buffer, completions(line, KnownNames(*names)))
    assert buffer.text == done


def test_tab_finds_choices_where_nothing_is_clear() -> None:
    found = completions("show backend ", KnownNames("ams-1", "fra-1"))
    assert [(each.display_text, each.display_meta_text) for each in found] == [
        ("ams-1", "a backend's name"),
        ("fra-1", "a backend's name"),
    ]
    buffer = Buffer(document=Document("show backend "))
    assert not complete(buffer, found)
    assert buffer.text == "show backend "
    assert completions("show x", KnownNames()) == []


async def test_names_are_fetched_once_while_they_are_fresh() -> None:
    reader, clock = Reader(), Clock()
    names = Names(cast("Any", reader), clock)
    for _ in range(2):
        await names.fetch([FRONTEND, POOL, MEMBER])
    assert reader.asked == ["ListFrontends"]
    clock.now_s = FRESH_S
    await names.fetch([FRONTEND, BACKEND])
    assert sorted(reader.asked) == ["ListBackends", "ListFrontends", "ListFrontends"]


async def test_names_fit_what_was_written_before() -> None:
    names = Names(cast("Any", Reader()))
    await names.fetch([BACKEND, FRONTEND])
    assert names.known(BACKEND, {}) == ("ams-1", "ams-2", "fra-1")
    assert names.known(FRONTEND, {}) == ("web",)
    assert names.known(POOL, {"frontend": "web"}) == ("a", "b")
    assert names.known(MEMBER, {"frontend": "web", "pool": "b"}) == ("fra-1",)
    assert names.known(POOL, {"frontend": "other"}) == ()


async def test_a_maglevd_that_does_not_answer_costs_names_and_not_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maglev_cli.names.DEADLINE_S", 0.01)
    reader = Reader()
    reader.hangs = True
    names = Names(cast("Any", reader))
    await names.fetch([BACKEND])
    assert names.known(BACKEND, {}) == ()


def test_a_name_like_a_word_that_may_stand_there_is_offered_in_quotes() -> None:
    found = candidates(FORMS, split("sync vpp lb state "), lambda _argument, _values: ("dry-run", "site", "two words"))
    assert {each.text: each.written for each in found if each.is_quoted} == {"dry-run": "'dry-run'"}
    assert {"dry-run", "'dry-run'", "site", "'two words'"} <= {each.written for each in found}
    for each in found:
        values = parse(FORMS, split(f"sync vpp lb state {each.written}").all).values
        assert list(values.values()) == [each.text]
        assert not each.is_quoted or list(values) == ["frontend"]
