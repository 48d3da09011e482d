"""Options show only what may be shown, and messages leave secrets out."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from maglev.api import (
    HIDDEN,
    hide_query,
    hide_url,
    hide_values,
    option,
    redacted,
    secrets_of,
    shown_error,
    shown_options,
)
from maglev.api.secrecy import secret_texts


@attrs.frozen
class Inner:
    token: str = option("", help="A token", secret=True)
    name: str = option("x", help="A name")


@attrs.frozen
class Everything:
    password: str = option("", help="A password", secret=True)
    headers: Mapping[str, str] = option(factory=dict, help="Headers", secret=hide_values)
    path: str = option("/", help="A path", secret=hide_query)
    proxy: str = option("", help="A proxy", secret=hide_url)
    plain_text: str = option("seen", help="No secret")
    inner: Inner = option(factory=Inner, help="More of them")
    others: tuple[Inner, ...] = option((), help="And more")


FULL = Everything(
    password="hunter2",
    headers={"Authorization": "Bearer hunter2", "X-Empty": ""},
    path="/health?token=hunter2",
    proxy="http://probe:hunter2@192.0.2.1:3128",
    inner=Inner("hunter2"),
    others=(Inner("hunter2"),),
)


def test_what_may_be_shown_has_the_keys_and_the_open_part_of_each_value() -> None:
    shown = shown_options(FULL)
    assert shown == {
        "password": HIDDEN,
        "headers": {"Authorization": HIDDEN, "X-Empty": ""},
        "path": f"/health?{HIDDEN}",
        "proxy": f"http://{HIDDEN}@192.0.2.1:3128",
        "plain-text": "seen",
        "inner": {"token": HIDDEN, "name": "x"},
        "others": ({"token": HIDDEN, "name": "x"},),
    }


def test_what_is_empty_is_shown_as_it_is() -> None:
    assert shown_options(Everything())["password"] == ""
    assert shown_options(Everything())["headers"] == {}
    assert shown_options(object()) == {}


def test_an_options_object_prints_itself_without_secrets() -> None:
    assert "hunter2" not in repr(FULL)
    assert "'seen'" in repr(FULL)
    assert pickle.loads(pickle.dumps(FULL)) == FULL


@pytest.mark.parametrize(
    "url,shown",
    [
        ("http://192.0.2.1:3128", "http://192.0.2.1:3128"),
        ("http://u:p@192.0.2.1", "http://(secret)@192.0.2.1"),
        ("u:p@192.0.2.1", "(secret)@192.0.2.1"),
        ("http://u:p@ss@192.0.2.1/a?b=c#d", "http://(secret)@192.0.2.1/a?(secret)"),
        ("http://192.0.2.1/#access_token=x", "http://192.0.2.1/#(secret)"),
        ("http://[2001:db8::1]:80/", "http://[2001:db8::1]:80/"),
    ],
)
def test_a_url_is_shown_without_user_info_query_and_fragment(url: str, shown: str) -> None:
    assert hide_url(url) == shown


@pytest.mark.parametrize("wrong", ["Authorization: hunter2", ["hunter2"], 7, {"hunter2": {"a": "hunter2"}}])
def test_a_value_of_a_wrong_type_is_secret_as_a_whole(wrong: Any) -> None:
    for secret in (True, hide_values, hide_query, hide_url):
        texts = list(secret_texts(wrong, secret))
        if "hunter2" in str(wrong) and secret in (True, hide_values):
            assert any("hunter2" in text for text in texts)


@pytest.mark.parametrize(
    "message",
    [
        "must be a number, not 'hunter2-and-more'",
        "must be a number, not 'HUNTER2-AND-MORE'",
        "must be a number, not the string 'hunter2-and-…",
        "part 'and-more' of it is wrong",
        "b'hunter2-and-more'",
    ],
)
def test_a_message_that_quotes_a_secret_or_part_of_it_is_told_without(message: str) -> None:
    told = redacted(message, ["hunter2-and-more"])
    assert HIDDEN in told
    assert not any(part in told.lower() for part in ("hunter2", "and-more"))


def test_escapes_of_a_secret_are_found_and_other_words_stay() -> None:
    assert redacted(r"send 'AUTH \xe9t\xe9\r\n' is refused", ["AUTH \xe9t\xe9\r\n"]) == "send '(secret)' is refused"
    assert redacted("send 'ab' is about right", ["ab"]) == "send '(secret)' is about right"
    assert redacted("nothing of it", ["hunter2", "", " "]) == "nothing of it"


def test_a_traceback_is_logged_without_secrets() -> None:
    password = FULL.password

    def raise_it() -> None:
        try:
            raise KeyError(password)
        except KeyError as error:
            raise ExceptionGroup(password, [ValueError(password), OSError(5, password)]) from error

    with pytest.raises(ExceptionGroup) as caught:
        raise_it()
    assert shown_error(caught.value, ()) is caught.value
    text = "".join(traceback.format_exception(shown_error(caught.value, secrets_of(FULL))))
    assert "hunter2" not in text
    assert "raise_it" in text
    assert "ValueError" in text
    assert "KeyError" in text
