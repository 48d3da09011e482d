"""The text of an exposition: numbers, labels and headers, exactly as prometheus_client writes them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from maglev_prometheus.catalogue import Family

_EXPONENTS_FROM = 1_000_000


@attrs.frozen
class Format:
    """One of the two formats.

    Args:
        content_type: What the response says of its body.
        end: What closes the exposition.
    """

    content_type: str
    end: str


TEXT = Format("text/plain; version=0.0.4; charset=utf-8", "")
OPENMETRICS = Format(openmetrics.CONTENT_TYPE_LATEST, "# EOF\n")


def number(value: float) -> str:
    """A value, as Go would write it."""
    if isinstance(value, int) and 0 <= value < _EXPONENTS_FROM:
        return f"{value:d}.0"
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]  # it is not annotated


def escaped(value: str) -> str:
    """A label's value, as it stands between the quotation marks."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def series(name: str, /, **labels: str) -> str:
    """The start of a sample's line, up to the value.

    Args:
        name: The sample's.
        labels: Its labels; a name that is a word of Python's gets an underscore behind it.
    """
    if not labels:
        return f"{name} "
    pairs = sorted((label.removesuffix("_"), escaped(value)) for label, value in labels.items())
    return f"{name}{{{','.join([f'{label}={chr(34)}{value}{chr(34)}' for label, value in pairs])}}} "


@cache
def header(family: Family, form: Format) -> str:
    """The lines before a family's samples: prometheus_client's own."""
    name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
    name = name.removesuffix("_info") if family.kind == "info" else name
    registry = CollectorRegistry()
    registry.register(_Only(Metric(name, family.help, family.kind)))
    return render_registry(registry, form)


def render_registry(registry: CollectorRegistry, form: Format) -> str:
    """What prometheus_client makes of a registry, without the mark at the end."""
    if form is OPENMETRICS:
        whole: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]  # it is not annotated
    else:
        whole = generate_latest(registry)
    return whole.decode().removesuffix(form.end)


class _Only(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        return [self._metric]


def negotiate(accept: str) -> Format:
    """Choose the format that a client likes best; text, if it names none that we have.

    Args:
        accept: The value of its `Accept` header; may be empty.
    """
    best, chosen = 0.0, TEXT
    for offer in accept.split(","):
        media, *parameters = (part.strip() for part in offer.split(";"))
        settings = dict(parameter.partition("=")[::2] for parameter in parameters)
        form = _form(media.lower(), settings.get("version", ""))
        quality = _quality(settings.get("q", "1"))
        if form is not None and quality > best:
            best, chosen = quality, form
    return chosen


def _form(media: str, version: str) -> Format | None:
    if media == "application/openmetrics-text" and version in ("", "1.0.0"):
        return OPENMETRICS
    if media == "text/plain" and version in ("", "0.0.4"):
        return TEXT
    return TEXT if media in ("*/*", "text/*") else None


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
