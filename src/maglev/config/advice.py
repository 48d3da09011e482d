"""Warns of what is valid but probably a mistake."""

from __future__ import annotations

from collections.abc import Iterator

from maglev.api import IPProtocol, redacted, secrets_of
from maglev.config.draft import Draft
from maglev.config.faults import Fault, Path
from maglev.config.fields import message_of
from maglev.config.resolve import weight_step_of
from maglev.config.schema import FrontendConfig, HealthCheckConfig, PoolConfig
from maglev.config.values import format_duration
from maglev.domain.looks import look, unseen
from maglev.domain.weights import table_weight

_FULLEST = 4
"""Above a table length / this, weights in the table are no longer kept closely."""


def warnings(draft: Draft) -> Iterator[Fault]:
    """Find what an operator should know of a configuration without errors."""
    yield from _unused(draft)
    yield from _alike(draft)
    yield from _about_addresses(draft)
    for name, check in draft.healthchecks.items():
        for key, message in _about_check(draft, check):
            yield _warning(("maglev", "healthchecks", name, key), message)
    for name, frontend in draft.frontends.items():
        yield from _about_frontend(draft, name, frontend)


def _warning(path: Path, message: str, *, at_key: bool = False) -> Fault:
    return Fault(path, message, "warning", at_key)


def _unused(draft: Draft) -> Iterator[Fault]:
    in_pools = {name for f in draft.frontends.values() for pool in f.pools for name in pool.backends}
    for name in draft.backends:
        if name not in in_pools:
            yield _warning(("maglev", "backends", name), f"backend {name!r} is in no pool", at_key=True)
    checks = {backend.healthcheck for backend in draft.backends.values()}
    for name in draft.healthchecks:
        if name not in checks:
            path = ("maglev", "healthchecks", name)
            yield _warning(path, f"health check {name!r} is used by no backend", at_key=True)


def _about_check(draft: Draft, check: HealthCheckConfig) -> Iterator[tuple[str, str]]:
    cls = draft.plugins.checkers[check.type]
    if check.port is not None and not cls.needs_port:
        yield "port", f"a check of type {check.type} has no use for a port"
    # Not the fast interval: a timeout above that is usual, and the next probe then starts when this one ends.
    if check.timeout >= check.interval:
        told = f"{format_duration(check.timeout)} is not below the interval ({format_duration(check.interval)})"
        yield "timeout", told
    try:
        advice = cls.advice(check.params)
    except Exception as error:  # noqa: BLE001  (a plugin's own code: bad advice must not refuse a good file)
        advice = (f"the checker's own advice failed: {message_of(error)}",)
    secrets = tuple(secrets_of(check.params))
    for message in advice:
        yield "params", redacted(message, secrets)


def _alike(draft: Draft) -> Iterator[Fault]:
    """Find names that people take for one another, and such as hold what nobody sees."""
    for section, values in (
        ("healthchecks", draft.healthchecks),
        ("backends", draft.backends),
        ("frontends", draft.frontends),
    ):
        seen: dict[str, str] = {}
        for name in values:
            path: Path = ("maglev", section, name)
            other = seen.setdefault(look(name), name)
            if other != name:
                message = f"the name {name!a} looks like {other!a}, but is another name"
                yield _warning(path, message, at_key=True)
            elif hidden := unseen(name):
                yield _warning(path, f"the name {name!a} has invisible characters: {hidden}", at_key=True)


def _about_addresses(draft: Draft) -> Iterator[Fault]:
    servers: dict[object, str] = {}
    for name, backend in draft.backends.items():
        servers.setdefault(backend.address, name)
    for name, frontend in draft.frontends.items():
        if server := servers.get(frontend.address):
            message = (
                f"backend {server!r} has the VIP's own address, {frontend.address}: probes and encapsulated packets "
                "to it come back to the load balancer; a backend needs an address of its own"
            )
            yield _warning(("maglev", "frontends", name, "address"), message)


def _about_frontend(draft: Draft, name: str, frontend: FrontendConfig) -> Iterator[Fault]:
    path: Path = ("maglev", "frontends", name)
    if frontend.port == 0 and frontend.protocol is not IPProtocol.ANY:
        message = f"{frontend.protocol} without a port means `any`: all protocols and all ports"
        yield _warning((*path, "protocol"), message)
    step = weight_step_of(draft.lb, frontend)
    for position, pool in enumerate(frontend.pools):
        for key, message in _about_pool(pool, step, draft.lb.new_flow_table_length):
            yield _warning((*path, "pools", position, key), message)


def _about_pool(pool: PoolConfig, step: int, table_length: int) -> Iterator[tuple[str, str]]:
    weights = [member.weight for member in pool.backends.values()]
    if not any(weights):
        yield "backends", f"all weights of pool {pool.name!r} are 0: it will never serve"
    if pool.min_up > sum(1 for weight in weights if weight):
        yield (
            "min-up",
            f"pool {pool.name!r} can never have {pool.min_up} backends up: the next pool is always preferred",
        )
    total = sum(table_weight(weight, step).value for weight in weights)
    if total * _FULLEST > table_length:
        message = (
            f"the weights add up to {total} entries (step {step}) in a table of {table_length} buckets, more than a "
            f"quarter: shares will be uneven; raise new-flow-table-length or weight-step"
        )
        yield "backends", message
