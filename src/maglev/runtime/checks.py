"""Checkers and probe jobs: which checker instance a health check has, and which changes need another probe."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs

from maglev.api import Checker, Target
from maglev.config import BackendConfig, Config, HealthCheckConfig
from maglev.config.resolve import source_address, timeout_ns
from maglev.probing import Job


@attrs.frozen
class ProbeSpec:
    """Everything that makes a probe what it is; as long as it is equal, the running probe goes on.

    Args:
        address: Whom to probe.
        check: The health check's name.
        type: The checker's name.
        params: The checker's options.
        port: The port; `None` where the checker has none.
        timeout_ns: How long one probe may take, in nanoseconds.
        source: The local address to probe from.
        netns: The network namespace to probe in.
    """

    address: IPv4Address | IPv6Address
    check: str
    type: str
    params: Any
    port: int | None
    timeout_ns: int
    source: IPv4Address | IPv6Address | None
    netns: str | None


def spec_for(config: Config, backend: BackendConfig) -> ProbeSpec | None:
    """What a backend's probe should be; `None` for a static backend."""
    if backend.healthcheck is None:
        return None
    check = config.healthchecks[backend.healthcheck]
    return ProbeSpec(
        address=backend.address,
        check=backend.healthcheck,
        type=check.type,
        params=check.params,
        port=check.port,
        timeout_ns=timeout_ns(check),
        source=source_address(check, backend.address),
        netns=config.healthchecker.netns,
    )


class Checkers:
    """One checker instance for each health check, kept as long as its type and options stay the same.

    Args:
        classes: The installed checkers by name.
    """

    def __init__(self, classes: Mapping[str, type[Checker]]) -> None:
        self._classes = classes
        self._built: dict[str, tuple[str, Any, Checker]] = {}

    def configure(self, healthchecks: Mapping[str, HealthCheckConfig]) -> list[Checker]:
        """Build what is new or changed.

        Returns:
            The checkers that are no longer used; to be released once no job has them.

        Raises:
            ValueError: A checker refuses its options; nothing was changed.
        """
        built = {name: self._get(name, check) for name, check in healthchecks.items()}
        kept = {id(checker) for _type, _params, checker in built.values()}
        retired = [checker for _type, _params, checker in self._built.values() if id(checker) not in kept]
        self._built = built
        return retired

    def _get(self, name: str, check: HealthCheckConfig) -> tuple[str, Any, Checker]:
        old = self._built.get(name)
        if old is not None and old[:2] == (check.type, check.params):
            return old
        return check.type, check.params, self._classes[check.type].build(check.params)

    def all(self) -> list[Checker]:
        """All checkers in use."""
        return [checker for _type, _params, checker in self._built.values()]

    def job(self, backend: str, spec: ProbeSpec) -> Job:
        """Make the job that probes one backend."""
        target = Target(
            backend=backend,
            address=spec.address,
            port=spec.port,
            timeout_ns=spec.timeout_ns,
            source=spec.source,
            netns=spec.netns,
        )
        return Job(backend, self._built[spec.check][2], target, spec.type)
