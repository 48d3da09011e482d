"""Secret options: what of their values may be shown, and how they are kept out of messages.

An option is secret wholly (`secret=True`) or in part (`secret=` one of the functions here, or another that returns what
may be shown of a value, with `HIDDEN` for what it leaves out). `shown_options` is the way by which options leave the
process. The `repr` of an options class obeys the same marks, so a traceback or a log that prints one is safe too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

HIDDEN = "(secret)"
"""Stands for what is not shown."""

Secrecy = bool | Callable[[Any], Any]
"""Whether a value is secret; or what may be shown of it."""

_FRAGMENT = 6
"""How long a piece of a secret may be and still be taken for an ordinary word, in characters, less one."""
_SHORT = 3
"""Secrets up to this length are only taken out where they stand as a word of their own."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def hide_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Show the names of a mapping (headers, say), and hide the values that are not empty."""
    return {name: HIDDEN if value not in (None, "") else value for name, value in values.items()}


def hide_query(path: str) -> str:
    """Show a path, and hide its query; of a whole URL, what `hide_url` hides."""
    if "://" in path.partition("?")[0]:
        return hide_url(path)
    before, mark, query = path.partition("?")
    return f"{before}?{HIDDEN}" if query else before + mark


def hide_url(url: str) -> str:
    """Show a URL, and hide its user info, query and fragment."""
    before, at, host = url.rpartition("@")
    scheme = _SCHEME.match(url)
    shown = f"{scheme[0] if scheme else ''}{HIDDEN}@{host}" if at and before else url
    head, mark, rest = re.fullmatch(r"([^?#]*)([?#]?)(.*)", shown, re.DOTALL).groups()  # type: ignore[union-attr]  # it always matches
    return f"{head}{mark}{HIDDEN}" if rest else head + mark


def shown_value(value: Any, secret: Secrecy) -> Any:
    """Return what may be shown of an option's value; of an empty one, the value."""
    if not secret or value is None or (isinstance(value, Collection) and not value):
        return value
    if callable(secret):
        try:
            return secret(value)
        except Exception:  # noqa: BLE001 - a value of a wrong type, as it stands in a refused file
            return HIDDEN
    return HIDDEN


def shown_repr(secret: Secrecy) -> Callable[[Any], str]:
    """Return what attrs is to print a secret field with."""
    return lambda value: repr(shown_value(value, secret))


def secret_texts(value: Any, secret: Secrecy) -> Iterator[str]:
    """Yield the secret pieces of an option's value, as text, whatever its type."""
    if secret:
        yield from _hidden(value, shown_value(value, secret))


def _hidden(value: Any, shown: Any) -> Iterator[str]:
    """Yield what `shown` leaves out of `value`."""
    if value is None or (type(shown) is type(value) and shown == value):
        return
    if isinstance(value, Mapping):
        known = shown if isinstance(shown, Mapping) else {}
        for name, item in value.items():
            if not isinstance(shown, Mapping):
                yield from _hidden(name, HIDDEN)
            yield from _hidden(item, known.get(name, HIDDEN))
    elif isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes):
        for item in value:
            yield from _hidden(item, HIDDEN)
    elif isinstance(value, bytes):
        yield value.decode("utf-8", "backslashreplace")
    elif isinstance(value, str) and isinstance(shown, str) and HIDDEN in shown:
        kept = ".+".join(f"({re.escape(part)})" for part in shown.split(HIDDEN))
        yield from _between(value, re.fullmatch(kept, value, re.DOTALL))
    else:
        yield str(value)


def _between(text: str, kept: re.Match[str] | None) -> Iterator[str]:
    if kept is None:
        yield text
        return
    spans = [kept.span(number) for number in range(1, len(kept.groups()) + 1)]
    for (_, start), (end, _) in itertools.pairwise(spans):
        yield text[start:end]


def redacted(message: str, secrets: Iterable[str]) -> str:
    """Take secrets out of a message: also where it quotes them escaped, in other letters' case, or in part.

    Args:
        message: Text that was made by code which may have quoted a value.
        secrets: As `secret_texts` gives them.
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        for form in dict.fromkeys((secret, repr(secret)[1:-1], ascii(secret)[1:-1])):
            message = _without_short(message, form) if len(form) <= _SHORT else _without(message, form)
    return message


def _without_short(message: str, form: str) -> str:
    if not form.strip():
        return message
    return re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", lambda _: HIDDEN, message)


def _without(message: str, form: str) -> str:
    """Replace every stretch of the message that is a stretch of the secret, from `_FRAGMENT` characters on."""
    low, wanted = message.lower(), form.lower()
    if len(low) != len(message):  # a character that changes its length with its case
        low, wanted = message, form
    length, made, at = min(_FRAGMENT, len(wanted)), "", 0
    while at < len(message):
        if low.startswith(HIDDEN, at):
            made, at = made + HIDDEN, at + len(HIDDEN)
            continue
        end = at + length
        if end > len(low) or low[at:end] not in wanted:
            made, at = made + message[at], at + 1
            continue
        while end < len(low) and low[at : end + 1] in wanted:
            end += 1
        made, at = made + HIDDEN, end
    return made


def shown_error(error: BaseException, secrets: Iterable[str]) -> BaseException:
    """Return an exception that says the same without secrets, to be logged with its traceback.

    Args:
        error: Whatever code raised that had the secrets in its hands.
        secrets: As `secret_texts` gives them.

    Returns:
        The exception itself where there are no secrets.
    """
    known = tuple(secrets)
    return _without_secrets(error, known, set()) if known else error


def _without_secrets(error: BaseException, secrets: Collection[str], seen: set[int]) -> BaseException:
    seen.add(id(error))
    text = redacted(str(error), secrets)
    made: BaseException
    if isinstance(error, BaseExceptionGroup):
        inner = [_without_secrets(one, secrets, seen) for one in error.exceptions if id(one) not in seen]
        made = BaseExceptionGroup(redacted(error.message, secrets), inner or [RuntimeError(text)])
    else:
        names = {"__module__": type(error).__module__, "__qualname__": type(error).__qualname__}
        made = type(type(error).__name__, (Exception,), names)(text)
    made.with_traceback(error.__traceback__)
    for link in ("__cause__", "__context__"):
        other = getattr(error, link)
        if other is not None and id(other) not in seen:
            setattr(made, link, _without_secrets(other, secrets, seen))
    made.__suppress_context__ = error.__suppress_context__
    return made
