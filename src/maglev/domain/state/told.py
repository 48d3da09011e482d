"""Describes the effects of a reload in words, for whoever requested it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from maglev.domain.model import Frontend, ResolvedConfig
from maglev.domain.overrides import OperatorOverrides

_MOST = 5
"""Names in one message: a reload may add ten thousand backends."""


def told(
    old: ResolvedConfig,
    new: ResolvedConfig,
    frontends: tuple[Mapping[str, Frontend], Mapping[str, Frontend]],
    overrides: tuple[OperatorOverrides, OperatorOverrides],
) -> Iterator[str]:
    """Say what a reload did.

    Args:
        old: The configuration before.
        new: The configuration now.
        frontends: Those in force before, and now, by name.
        overrides: Those in force before, and now.
    """
    was, now = ({spec.vip: name for name, spec in some.items()} for some in frontends)
    yield from _line("VIPs added", (f"{vip} ({name})" for vip, name in now.items() if vip not in was))
    yield from _line("VIPs removed", (f"{vip} ({name})" for vip, name in was.items() if vip not in now))
    yield from _line("frontends changed", _changed(*frontends))
    yield from _line("backends added", (name for name in new.backends if name not in old.backends))
    yield from _line("backends removed", (name for name in old.backends if name not in new.backends))
    yield from _line("backends changed", _changed(old.backends, new.backends))
    before, after = map(_overrides, overrides)
    yield from _line("overrides dropped, since the file changed their keys", before - after)
    yield from _line("overrides kept", after)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    return (name for name in new if name in old and old[name] is not new[name] and old[name] != new[name])


def _overrides(overrides: OperatorOverrides) -> set[str]:
    admin = (f"backend {name} {kept.admin}" for name, kept in overrides.admin.items())
    weights = (f"weight {kept.weight} of {'/'.join(key)}" for key, kept in overrides.weights.items())
    return {*admin, *weights}


def _line(what: str, names: Iterable[str]) -> Iterator[str]:
    all_names = sorted(names)
    if all_names:
        more = f", … ({len(all_names)} in all)" if len(all_names) > _MOST else ""
        yield f"{what}: {', '.join(all_names[:_MOST])}{more}"
