"""Reading YAML: what a word is, where it stands, and what cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.config.document import MAX_DEPTH, MAX_EXPANDED, NotYamlError, read_document


def data_of(text: str) -> Any:
    document = read_document(text)
    assert document.faults == ()
    return document.data


def failure(source: str | bytes) -> NotYamlError:
    with pytest.raises(NotYamlError) as caught:
        read_document(source)
    return caught.value


@pytest.mark.parametrize(
    "text,value",
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("012", "012"),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("1:30", "1:30"),
        ("1e3", "1e3"),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1.0e+3", 1000.0),
        ("-1.5E-1", -0.15),
        ("5.", 5.0),
        ("-.5", "-.5"),
        ("1.5e3", "1.5e3"),
        ("1.0e+999", "1.0e+999"),
        (".", "."),
        ("00.5", "00.5"),
        ("2026-01-01", "2026-01-01"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("9" * 5000, "9" * 5000),
        ("'5'", "5"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("=", "="),
    ],
)
def test_plain_words_mean_what_they_look_like(text: str, value: object) -> None:
    found = data_of(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_words_whatever_they_look_like() -> None:
    assert data_of("1: a\ntrue: b\nno: c\n~: d") == {"1": "a", "true": "b", "no": "c", "~": "d"}


def test_places_are_counted_from_one() -> None:
    document = read_document("a:\n  - b: 1\n    c: 2\n  - x\nd: {e: 5}\n")
    assert document.place(("a", 0, "c")) == (3, 8)
    assert document.place(("a", 0, "c"), at_key=True) == (3, 5)
    assert document.place(("a", 1)) == (4, 5)
    assert document.place(("d", "e")) == (5, 8)


def test_place_of_what_is_absent_is_that_of_what_should_hold_it() -> None:
    document = read_document("a:\n  b: {c: 1}\n")
    assert document.place(("a", "b", "nothing", "more")) == (2, 6)
    assert document.place(("a", "b", "c", "deeper")) == (2, 10)


def test_duplicate_key_names_the_first() -> None:
    document = read_document("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert [(fault.path, fault.position) for fault in document.faults] == [(("b", "c"), (2, 11)), (("a",), (3, 1))]
    assert document.faults[1].message == "the key 'a' is repeated; the first is in line 1"
    assert document.data == {"a": 1, "b": {"c": 1}}


def test_aliases_are_what_they_name_and_merges_fill_gaps() -> None:
    text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nall: {<<: [*b, *o], x: 0}\none: *b\n"
    document = read_document(text)
    assert document.data["all"] == {"x": 0, "y": 2, "z": 4}
    assert document.data["one"] is document.data["base"]
    assert document.place(("all", "z")) == (2, 21)


def test_tag_of_another_language_is_refused() -> None:
    document = read_document("a: !!python/object:os.system b")
    assert document.faults[0].message.startswith("this tag is unknown")


def test_a_billion_laughs_are_cut_short() -> None:
    lines = ["l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert failure("\n".join(lines)).message == f"aliases expand to more than {MAX_EXPANDED} values"


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000])
def test_a_tower_of_brackets_is_refused(text: str) -> None:
    assert failure(text).message in (
        f"nested more than {MAX_DEPTH} deep",
        "a key must be a plain word, not a list or a mapping",
    )


@pytest.mark.parametrize(
    "source,message,position",
    [
        ("a:\n\tb: 1", "there is a tab here, but only spaces may indent", (2, 1)),
        (b"a: x\nb: \xff", "not UTF-8: the byte 0xff is invalid here", (2, 4)),
        ("a: 1\n---\nb: 2", "a second document begins here", (2, 1)),
        ("a: b\x00c", "the character U+0000 is not allowed", (1, 5)),
        ("a: \ud800", "the character U+D800 is not allowed", (1, 4)),
        ("a: *b", "this alias has no anchor before it", (1, 4)),
        ("a: &x [*x]", "this alias is inside the value that it names", (1, 8)),
        ("? [1]\n: 2", "a key must be a plain word", (1, 3)),
        ("a: &n 1\n*n : 2", "a key must be a plain word", (2, 1)),
        ("a: 'b", "quoted scalar that began in line 1", (1, 6)),
        ("a: {b", "not YAML", (2, 1)),
        ("<<: 3", "<< merges mappings", (1, 5)),
    ],
)
def test_unreadable_text_says_why_and_where(source: str | bytes, message: str, position: tuple[int, int]) -> None:
    error = failure(source)
    assert message in error.message
    assert error.position[0] == position[0]


def test_byte_order_mark_is_passed_over() -> None:
    assert read_document("\ufeffa: 1".encode()).data == {"a": 1}


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(source: bytes) -> None:
    try:
        read_document(source)
    except NotYamlError as error:
        assert error.message  # noqa: PT017  (either outcome is right)


@given(st.text(alphabet="ab:-?,[]{}&*!|>'\"%@`#<~ \n\t019.", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_document(text)
    except NotYamlError as error:
        assert error.message  # noqa: PT017  (either outcome is right)
