"""The reasons for weights, in the words that an operator reads in the CLI, the dashboard and the events."""

from __future__ import annotations

from datetime import UTC, datetime

from maglev.api import BackendState
from maglev.domain.model import BackendStatus, Member, Pool

UNKNOWN_WITHOUT_WEIGHT = "unknown: no weight until the first verdict"


def configured(member: Member) -> str:
    """Say that the wanted weight holds, and whose wish it is."""
    if member.weight != member.configured_weight:
        return f"weight {member.weight} by command (file says {member.configured_weight})"
    return "configured" if member.weight else "configured with weight 0"


def standing_by(active_pool: str) -> str:
    """Say that a server that is up has no weight because another pool serves."""
    return f"standing by: pool {active_pool} is active"


def keeps_weight(member: Member) -> str:
    """Say that an unknown server goes on carrying what is wanted of it."""
    words = "unknown: keeps its weight until the first verdict"
    return words if member.weight == member.configured_weight else f"{words}; {configured(member)}"


def counts_elsewhere(pool: str) -> str:
    """Say that an unknown server keeps its weight as a member of another pool."""
    return f"unknown: counts in pool {pool} until the first verdict"


def holding(frontend: str) -> str:
    """Say that a server keeps its weight though it is down."""
    return f"holding: no server of {frontend} is up"


def out_of_service(status: BackendStatus) -> str:
    """Say why a server that is neither up nor unknown has no weight: for a down one since when, and the cause."""
    if status.state is not BackendState.DOWN:
        return status.state.value
    since = f" since {utc(status.since_s)}" if status.since_s else ""
    return f"down{since}: {status.why}" if status.why else f"down{since}"


def pool_count(pool: Pool, *, up: int, of: int, presumed: int) -> str:
    """Say how many of a pool's servers of weight above 0 are up, and how many are unknown and carry weight."""
    unknown = f", {presumed} unknown but still carrying" if presumed else ""
    needed = f" (min-up {pool.min_up})" if pool.min_up > 1 else ""
    return f"pool {pool.name}: {up} of {of} up{unknown}{needed}"


def utc(at_s: float) -> str:
    """Write a time, in seconds since the epoch, as people read it in logs: `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
