"""The commands that change something, how people write them, who gives them, and how they are refused.

A command is an attrs class, a part of `Command`, and an entry of `COMMANDS`. From there `maglevc` takes its lines with
their completion and help, and the dashboard its buttons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from maglev.api.command_info import CommandInfo, argument
from maglev.api.events import BackendState


@attrs.frozen
class Actor:
    """The sender of a command, for the audit record.

    Args:
        name: A user, a certificate's subject, or the program.
        via: The way that the command took: `grpc`, `signal`, `library`.
        peer: The address of the sender; empty if it has none.
        why: Why the sender may make changes, such as `token`; empty if this was not checked.
    """

    name: str
    via: str
    peer: str = ""
    why: str = ""


_BACKEND = argument("backend", "a backend's name")
_FRONTEND = argument("frontend", "a frontend's name")
_POOL = argument("pool", "a pool of that frontend")
_MEMBER = argument("backend", "a backend of that pool")


@attrs.frozen
class PauseBackend:
    """Stop the probes of a backend; its state becomes paused."""

    backend: str = attrs.field(metadata=_BACKEND)


@attrs.frozen
class ResumeBackend:
    """Probe a paused backend again, from state unknown."""

    backend: str = attrs.field(metadata=_BACKEND)


@attrs.frozen
class DisableBackend:
    """Stop the probes of a backend, set weight 0 and flush its established flows."""

    backend: str = attrs.field(metadata=_BACKEND)


@attrs.frozen
class EnableBackend:
    """Use a disabled backend again, from state unknown."""

    backend: str = attrs.field(metadata=_BACKEND)


@attrs.frozen
class ResetBackend:
    """Drop a command's change of a backend's state: the file applies again."""

    backend: str = attrs.field(metadata=_BACKEND)


@attrs.frozen
class SetFrontendPoolBackendWeight:
    """Set the weight of a backend, 0 to 100, in one pool of one frontend."""

    frontend: str = attrs.field(metadata=_FRONTEND)
    pool: str = attrs.field(metadata=_POOL)
    backend: str = attrs.field(metadata=_MEMBER)
    weight: int = attrs.field(metadata=argument("weight", "weight, 0 (no new flows) to 100"))


@attrs.frozen
class ResetFrontendPoolBackendWeight:
    """Drop a command's change of a weight: the file applies again."""

    frontend: str = attrs.field(metadata=_FRONTEND)
    pool: str = attrs.field(metadata=_POOL)
    backend: str = attrs.field(metadata=_MEMBER)


@attrs.frozen
class SyncDataplane:
    """Write the differences between the dataplane and the wanted state.

    Args:
        frontend: Sync only the address of this frontend; `None` for all.
        recreate: Also recreate VIPs whose differences need it (established flows are lost).
        prune: Also remove VIPs that were never configured.
    """

    frontend: str | None = attrs.field(default=None, metadata=_FRONTEND)
    recreate: bool = attrs.field(
        default=False,
        metadata=argument(
            "flag", "also recreate VIPs whose differences need it: their established flows are lost", disruptive=True
        ),
    )
    prune: bool = attrs.field(
        default=False,
        metadata=argument("flag", "also remove VIPs that were never configured here", disruptive=True),
    )


@attrs.frozen
class ReloadConfig:
    """Reload the configuration; `force` allows it to remove more than half of the VIPs."""

    force: bool = attrs.field(
        default=False,
        metadata=argument("flag", "reload even if this removes more than half of the VIPs", disruptive=True),
    )


Command = (
    PauseBackend
    | ResumeBackend
    | DisableBackend
    | EnableBackend
    | ResetBackend
    | SetFrontendPoolBackendWeight
    | ResetFrontendPoolBackendWeight
    | SyncDataplane
    | ReloadConfig
)
"""One command, of any kind."""

_PROBED = frozenset({BackendState.UNKNOWN, BackendState.UP, BackendState.DOWN})
_MEMBER_LINE = "set frontend <frontend> pool <pool> backend <backend> weight"

COMMANDS: tuple[CommandInfo, ...] = (
    CommandInfo(
        PauseBackend,
        ("set backend <backend> pause",),
        "Pause",
        "stop its probes and give it no new flows; established flows stay",
        states=_PROBED,
    ),
    CommandInfo(
        ResumeBackend,
        ("set backend <backend> resume",),
        "Resume",
        "probe it again, from state unknown",
        states=frozenset({BackendState.PAUSED}),
    ),
    CommandInfo(
        EnableBackend,
        ("set backend <backend> enable",),
        "Enable",
        "use it again, from state unknown",
        states=frozenset({BackendState.DISABLED}),
    ),
    CommandInfo(
        DisableBackend,
        ("set backend <backend> disable",),
        "Disable",
        "stop its probes, give it no new flows and flush the established ones",
        disruptive=True,
        states=_PROBED | {BackendState.PAUSED},
    ),
    CommandInfo(
        ResetBackend,
        ("set backend <backend> reset",),
        "Reset state",
        "drop the change by a command: the configuration file applies again",
        undoes_override=True,
    ),
    CommandInfo(
        SetFrontendPoolBackendWeight,
        (f"{_MEMBER_LINE} <weight>",),
        "Weight",
        "set its weight, until it is reset or the configuration file changes it",
    ),
    CommandInfo(
        ResetFrontendPoolBackendWeight,
        (f"{_MEMBER_LINE} reset",),
        "Reset weight",
        "drop the change by a command: the configuration file applies again",
        undoes_override=True,
    ),
    CommandInfo(
        SyncDataplane,
        ("sync vpp lb state [<frontend>]", "sync dataplane state [<frontend>]"),
        "Sync",
        "correct differences in the dataplane: of all VIPs, or of those on one frontend's address",
    ),
    CommandInfo(ReloadConfig, ("config reload",), "Reload", "reload the configuration file, if it is valid"),
)
"""Every command that changes something."""

COMMAND_WORDS: Mapping[str, str] = {
    "set": "change a backend's state or weight",
    "set backend": "the state of a backend",
    "set frontend": "a weight in a frontend",
    "set frontend <frontend> pool": "one pool of the frontend",
    "set frontend <frontend> pool <pool> backend": "one backend of the pool",
    "sync": "correct differences in the dataplane",
    "sync vpp": "the dataplane",
    "sync vpp lb": "load balancing",
    "sync dataplane": "the dataplane, of any kind",
    "config": "the configuration file of maglevd",
}
"""Help for words that begin more than one command."""


@attrs.frozen
class CommandResult:
    """The result of a command.

    Args:
        changed: Whether anything changed.
        messages: Notes for the sender: a rounded weight, an override, held writes.
        errors: Operations that the dataplane did not carry out, in words; maglevd retries them.
    """

    changed: bool
    messages: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


class CommandError(Exception):
    """A command was refused and nothing was changed."""


class UnknownName(CommandError):
    """A name that does not exist.

    Args:
        kind: `backend`, `frontend`, `pool` or `healthcheck`.
        name: The name that was given.
        nearest: The nearest names that do exist, best first.
    """

    def __init__(self, kind: str, name: str, nearest: Sequence[str] = ()) -> None:
        self.kind = kind
        self.name = name
        self.nearest = tuple(nearest)
        hint = f"; did you mean {' or '.join(map(repr, self.nearest))}?" if self.nearest else ""
        super().__init__(f"no {kind} {name!r}{hint}")


class BadArgument(CommandError):
    """An argument that can never be right (a weight of 101)."""


class FailedPrecondition(CommandError):
    """A command that does not fit the present state (pausing what is disabled, an invalid file at a reload)."""


class NotConnected(CommandError):
    """A command that needs the dataplane, while there is no connection."""
