"""The fixtures of the import's tests: one call that imports text and has the outcome checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from maglev.config import Config, load_text
from maglev.library import installed
from maglev.migrate import Format, Imported, Outside, import_text
from maglev.plugin import PluginManager


@attrs.frozen
class Outcome:
    """What an import printed, read back with the rules of the configuration."""

    imported: Imported
    config: Config

    def found(self, directive: str) -> list[str]:
        """The findings about a directive, each as `kind: message`, with its lines before it."""
        return [
            f"{','.join(str(place.line) for place in one.places)}: {one.kind}: {one.message}"
            for one in self.imported.findings
            if one.directive == directive
        ]

    def check_of(self, backend: str) -> Any:
        """The health check of a backend."""
        name = self.config.backends[backend].healthcheck
        return self.config.healthchecks[name] if name else None

    def members(self, frontend: str, pool: int = 0) -> dict[str, int]:
        """The backends of a pool with their weights."""
        return {name: one.weight for name, one in self.config.frontends[frontend].pools[pool].backends.items()}


Import = Callable[..., Outcome]


@pytest.fixture(scope="session")
def plugins() -> PluginManager:
    return installed()


@pytest.fixture
def import_as(plugins: PluginManager) -> Import:
    def imported(source: Format, text: str, **outside: Any) -> Outcome:
        made = import_text([("the.conf", text)], source, plugins, Outside(**outside))
        return Outcome(made, load_text(made.text, plugins).config)

    return imported


@pytest.fixture
def keepalived(import_as: Import) -> Callable[..., Outcome]:
    return lambda text, **outside: import_as("keepalived", text, **outside)


@pytest.fixture
def haproxy(import_as: Import) -> Callable[..., Outcome]:
    return lambda text, **outside: import_as("haproxy", text, **outside)
