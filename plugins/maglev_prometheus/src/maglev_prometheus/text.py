"""The text of an exposition: numbers, labels and headers, exactly as prometheus_client writes them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeVar

import attrs
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.utils import floatToGoString

from maglev_prometheus.catalogue import Family

CHUNK = 128
"""Objects written at once: well below a millisecond's worth."""
EXPONENTS_FROM = 1_000_000
"""From here on numbers are written with exponents."""

_T = TypeVar("_T")


@attrs.frozen
class Format:
    """One of the two formats: its content type, and what closes an exposition."""

    content_type: str
    end: str


TEXT = Format("text/plain; version=0.0.4; charset=utf-8", "")
OPENMETRICS = Format(openmetrics.CONTENT_TYPE_LATEST, "# EOF\n")


_OFFERED = {
    "application/openmetrics-text": (OPENMETRICS, ("", "1.0.0")),
    "text/plain": (TEXT, ("", "0.0.4")),
    "text/*": (TEXT, ("",)),
    "*/*": (TEXT, ("",)),
}
"""The format for a media type, and the versions of it that we have."""


def number(value: float) -> str:
    """A value, as Go would write it."""
    if isinstance(value, int) and 0 <= value < EXPONENTS_FROM:
        return f"{value:d}.0"
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]  # it is not annotated


def escaped(value: str) -> str:
    """A label's value, as it stands between the quotation marks."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def series(name: str, /, **labels: str) -> str:
    """A sample's line, up to the value. A label that is a word of Python's has an underscore behind it."""
    if not labels:
        return f"{name} "
    pairs = sorted((label.removesuffix("_"), escaped(value)) for label, value in labels.items())
    return f"{name}{{{','.join([f'{label}={chr(34)}{value}{chr(34)}' for label, value in pairs])}}} "


def line(family: Family, value: float, **labels: str) -> str:
    """A sample's whole line; labels as for `series`."""
    return f"{series(family.name, **labels)}{number(value)}\n"


def in_chunks(things: Sequence[_T], write: Callable[[_T], str], size: int = CHUNK) -> Iterator[str]:
    """The lines of many objects, `size` objects at a time."""
    for at in range(0, len(things), size):
        yield "".join([write(thing) for thing in things[at : at + size]])


@cache
def header(family: Family, form: Format) -> str:
    """The lines before a family's samples: prometheus_client's own."""
    name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
    name = name.removesuffix("_info") if family.kind == "info" else name
    return render(SimpleNamespace(collect=lambda: [Metric(name, family.help, family.kind)]), form)


def render(collector: Any, form: Format) -> str:
    """Return the text of a collector by prometheus_client, without the mark at the end."""
    generate: Callable[[Any], bytes] = openmetrics.generate_latest if form is OPENMETRICS else generate_latest
    return generate(collector).decode().removesuffix(form.end)


def negotiate(accept: str) -> Format:
    """Choose the format that a client likes best; text, if it names none that we have.

    Args:
        accept: The value of its `Accept` header; may be empty.
    """
    best, chosen = 0.0, TEXT
    for offer in accept.split(","):
        media, *parameters = (part.strip() for part in offer.split(";"))
        settings = dict(parameter.partition("=")[::2] for parameter in parameters)
        form, versions = _OFFERED.get(media.lower(), (TEXT, ()))
        with contextlib.suppress(ValueError):
            quality = float(settings.get("q", "1"))
            if settings.get("version", "") in versions and quality > best:
                best, chosen = quality, form
    return chosen
