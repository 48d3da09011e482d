"""Names that people take for one another."""

from __future__ import annotations

import pytest

from maglev.domain.looks import look, unseen


@pytest.mark.parametrize(
    "one,other",
    [
        ("web", "w\u0435b"),
        ("web0", "webO"),
        ("al", "a1"),
        ("a-b", "a\u2013b"),
        ("caf\u00e9", "cafe\u0301"),
        ("web", "we\u200db"),
        ("\u0391MS", "AMS"),
    ],
)
def test_these_look_alike(one: str, other: str) -> None:
    assert look(one) == look(other)


@pytest.mark.parametrize("one,other", [("web", "Web"), ("ams-1", "ams-2"), ("ai", "al"), ("a b", "ab")])
def test_these_do_not(one: str, other: str) -> None:
    assert look(one) != look(other)


def test_what_nobody_sees_is_named() -> None:
    assert unseen("we\u200bb\u202e") == "U+200B, U+202E"
    assert unseen("a b\u00e9") == ""
