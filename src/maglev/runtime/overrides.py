"""Keeps operators' overrides on disk, so that they outlive restarts."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import attrs

from maglev.domain.overrides import AdminOverride, OperatorOverrides, WeightOverride

_FORMAT = 1
_ADMIN_STATES = ("paused", "disabled", "enabled")


class StateError(Exception):
    """The state file cannot be read or written; names the file and why."""


class OverrideStore:
    """Keeps overrides in `overrides.json` in the state directory.

    Args:
        directory: The state directory, made if need be; `None` keeps nothing.
    """

    def __init__(self, directory: Path | None) -> None:
        self.path = directory / "overrides.json" if directory is not None else None
        self.saved: OperatorOverrides | None = None
        """What the file holds, as far as this process has read or written it."""

    def load(self) -> OperatorOverrides:
        """Read what an earlier run kept; nothing there is no error.

        Raises:
            StateError: The file is there and cannot be read or understood. It is left as it is.
        """
        self.saved = self._read()
        return self.saved

    def _read(self) -> OperatorOverrides:
        if self.path is None:
            return OperatorOverrides()
        try:
            return _parse(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return OperatorOverrides()
        except OSError as error:
            raise StateError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"{self.path}: not a state file of this program: {error!r}") from error

    def save(self, overrides: OperatorOverrides) -> None:
        """Write atomically, if the file does not hold them: a crash leaves the old file or the new one, whole.

        Raises:
            StateError: It could not be written.
        """
        if overrides == self.saved:
            return
        if self.path is not None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                _write_atomically(self.path, json.dumps(_dump(overrides), indent=1, sort_keys=True) + "\n")
            except OSError as error:
                raise StateError(f"{self.path}: cannot be written: {error.strerror or error}") from error
        self.saved = overrides


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


def _dump(overrides: OperatorOverrides) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "backends": {name: attrs.asdict(kept) for name, kept in overrides.admin.items()},
        "weights": [
            {"frontend": f, "pool": p, "backend": b, **attrs.asdict(kept)}
            for (f, p, b), kept in overrides.weights.items()
        ],
    }


def _parse(data: Any) -> OperatorOverrides:
    if data["format"] != _FORMAT:
        raise ValueError(f"format {data['format']!r} is not {_FORMAT}")
    return OperatorOverrides(
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
