"""What commands changed at run time: kept over reloads and restarts, until cleared or until the file changes that key.

Each override remembers what the file said when it was made. When the file says something else later, somebody has
decided anew, and the override is dropped.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs

_FORMAT = 1
_ADMIN_STATES = ("paused", "disabled", "enabled")


@attrs.frozen
class AdminOverride:
    """A command's change of a backend's admin state.

    Args:
        admin: `paused`, `disabled` or `enabled`.
        file_enabled: What the file's `enabled` said when the command came.
    """

    admin: str
    file_enabled: bool


@attrs.frozen
class WeightOverride:
    """A command's change of a weight.

    Args:
        weight: The weight in force, 0 to 100.
        file_weight: What the file said when the command came.
    """

    weight: int
    file_weight: int


WeightKey = tuple[str, str, str]
"""Frontend, pool, backend."""


@attrs.frozen
class Overrides:
    """All overrides in force; a value, changed by making another."""

    admin: Mapping[str, AdminOverride] = attrs.field(factory=dict)
    weights: Mapping[WeightKey, WeightOverride] = attrs.field(factory=dict)

    def with_admin(self, backend: str, override: AdminOverride | None) -> Overrides:
        """The same with one backend's override replaced, or cleared by `None`."""
        return attrs.evolve(self, admin=_with(self.admin, backend, override))

    def with_weight(self, key: WeightKey, override: WeightOverride | None) -> Overrides:
        """The same with one weight's override replaced, or cleared by `None`."""
        return attrs.evolve(self, weights=_with(self.weights, key, override))

    def against(self, enabled: Mapping[str, bool], weights: Mapping[WeightKey, int]) -> Overrides:
        """Keep only what the file has not changed since.

        Args:
            enabled: What the file says of each backend's `enabled`.
            weights: What the file says of each weight.
        """
        return Overrides(
            {name: kept for name, kept in self.admin.items() if enabled.get(name) is kept.file_enabled},
            {key: kept for key, kept in self.weights.items() if weights.get(key) == kept.file_weight},
        )


_K = TypeVar("_K")
_V = TypeVar("_V")


def _with(old: Mapping[_K, _V], key: _K, value: _V | None) -> Mapping[_K, _V]:
    new = {k: v for k, v in old.items() if k != key}
    if value is not None:
        new[key] = value
    return new


class StateError(Exception):
    """The state file cannot be read or written; names the file and why."""


class OverrideStore:
    """Keeps overrides in `overrides.json` in the state directory.

    Args:
        directory: The state directory, made if need be; `None` keeps nothing.
    """

    def __init__(self, directory: Path | None) -> None:
        self.path = directory / "overrides.json" if directory is not None else None

    def load(self) -> Overrides:
        """Read what an earlier run kept; nothing there is no error.

        Raises:
            StateError: The file is there and cannot be read or understood. It is left as it is.
        """
        if self.path is None:
            return Overrides()
        try:
            return _parse(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Overrides()
        except OSError as error:
            raise StateError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"{self.path}: not a state file of this program: {error!r}") from error

    def save(self, overrides: Overrides) -> None:
        """Write atomically: a crash at any moment leaves the old file or the new one, whole.

        Raises:
            StateError: It could not be written.
        """
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _write_atomically(self.path, json.dumps(_dump(overrides), indent=1, sort_keys=True) + "\n")
        except OSError as error:
            raise StateError(f"{self.path}: cannot be written: {error.strerror or error}") from error


def _write_atomically(path: Path, text: str) -> None:
    fd, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _dump(overrides: Overrides) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "backends": {name: attrs.asdict(kept) for name, kept in overrides.admin.items()},
        "weights": [
            {"frontend": f, "pool": p, "backend": b, **attrs.asdict(kept)}
            for (f, p, b), kept in overrides.weights.items()
        ],
    }


def _parse(data: Any) -> Overrides:
    if data["format"] != _FORMAT:
        raise ValueError(f"format {data['format']!r} is not {_FORMAT}")
    return Overrides(
        {name: _admin(kept) for name, kept in data["backends"].items()},
        {(kept["frontend"], kept["pool"], kept["backend"]): _weights(kept) for kept in data["weights"]},
    )


def _admin(kept: Any) -> AdminOverride:
    if kept["admin"] not in _ADMIN_STATES or not isinstance(kept["file_enabled"], bool):
        raise ValueError(f"admin state {kept!r}")
    return AdminOverride(kept["admin"], kept["file_enabled"])


def _weights(kept: Any) -> WeightOverride:
    weights = (kept["weight"], kept["file_weight"])
    if not all(type(weight) is int and 0 <= weight <= 100 for weight in weights):
        raise ValueError(f"weights {kept!r}")
    return WeightOverride(*weights)
