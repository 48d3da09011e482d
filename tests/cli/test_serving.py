"""Basic authentication: one user with one password gets in, in any valid spelling, and nobody else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.serving import Credentials, read_basic

OPERATOR = Credentials("operator", "correct: hörse")


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_the_right_pair_is_accepted_whatever_the_case_of_the_scheme() -> None:
    assert OPERATOR.match(basic("operator:correct: hörse"))
    assert OPERATOR.match(basic("operator:correct: hörse").replace("Basic", "bASIC "))


@pytest.mark.parametrize(
    "wrong",
    ["", "Basic", "Basic !!!", "Basic ä", "Bearer x", basic(""), basic(":"), basic("operator:"),
     basic("operator"), basic("operator:correct: hörse "), basic("Operator:correct: hörse"), basic("x" * 2000)],
)  # fmt: skip
def test_everything_else_is_refused(wrong: str) -> None:
    assert not OPERATOR.match(wrong)


def test_the_password_is_not_shown() -> None:
    assert "correct" not in repr(OPERATOR)


@given(st.text() | st.binary().map(lambda raw: "Basic " + base64.b64encode(raw).decode()))
def test_no_header_makes_reading_it_fail(header: str) -> None:
    assert OPERATOR.match(header) is (read_basic(header) == ("operator", "correct: hörse"))
