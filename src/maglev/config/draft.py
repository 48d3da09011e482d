"""A configuration on its way: what could be read of it, and what is wrong so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from maglev.api import Checker
from maglev.config.faults import Fault, MisfitError, Path
from maglev.config.plugins import Installed
from maglev.config.schema import BackendConfig, Config, FrontendConfig, HealthCheckConfig, HealthCheckerConfig, LbConfig
from maglev.config.structure import Structurer
from maglev.domain.names import Speller

CORE_KEYS = ("healthchecker", "dataplane", "exporters", "healthchecks", "backends", "frontends")

ANCHORS = "x-"
"""How keys begin whose values nobody reads: they hold anchors for aliases elsewhere."""


@attrs.define(eq=False)
class Draft:
    """The part of a configuration that has been read.

    Args:
        structurer: Makes values, and knows how names are probably meant.
        faults: All that was found wrong.
        healthchecks: Those that could be read; likewise `backends` and `frontends`.
        named: All names that stand in the file, by section: a reference to what could not be read is no error.
        dataplane: Which one; empty if that could not be read.
        dataplane_path: Where that is said.
        lb_path: Where the `lb` section in use stands.
        tried: The checkers that were made to try their options, closed. They are kept as long as the draft, so that
            what equal ones share (a TLS context takes 20 ms) is made once and not with each.
    """

    plugins: Installed
    structurer: Structurer = attrs.field(factory=Structurer)
    faults: list[Fault] = attrs.field(factory=list)
    healthchecker: HealthCheckerConfig = attrs.field(factory=HealthCheckerConfig)
    healthchecks: dict[str, HealthCheckConfig] = attrs.field(factory=dict)
    backends: dict[str, BackendConfig] = attrs.field(factory=dict)
    frontends: dict[str, FrontendConfig] = attrs.field(factory=dict)
    named: dict[str, frozenset[str]] = attrs.field(factory=dict)
    exporters: dict[str, Any] = attrs.field(factory=dict)
    dataplane: str = ""
    dataplane_path: Path = ("maglev", "dataplane")
    dataplane_options: Any = None
    lb: LbConfig = attrs.field(factory=LbConfig)
    lb_path: Path = ("maglev",)
    tried: list[Checker] = attrs.field(factory=list)

    @property
    def speller(self) -> Speller:
        """Finds names that were probably meant."""
        return self.structurer.speller

    def complain(self, *faults: Fault) -> None:
        """Note faults whose paths begin at the top."""
        self.faults += faults

    def structure(self, path: Path, value: Any, wanted: Any) -> Any:
        """Structure the value at a path, and note what does not fit.

        Returns:
            What was made, in part at least; `attrs.NOTHING` if it could not be.
        """
        try:
            return self.structurer.structure(value, wanted)
        except MisfitError as error:
            self.faults += (fault.below(*path) for fault in error.faults)
            return error.partial

    def mapping(self, path: Path, value: Any) -> Mapping[str, Any]:
        """Take the mapping at a path, as it is; an empty one where there is none."""
        found = self.structure(path, value, Mapping[str, Any])
        return {} if found is attrs.NOTHING else found

    def config(self) -> Config:
        """Return the finished configuration; only of a draft without faults."""
        return Config(**{field.name: getattr(self, field.name) for field in attrs.fields(Config)})
