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
    """Who gives a command; written to the audit record.

    Args:
        name: A user, a certificate's subject, or the program.
        via: How it came: `grpc`, `signal`, `library`.
        peer: The address it came from; empty if it came from none.
        why: By what right, such as `token`; empty where nothing was asked for.
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
    """No more probes; the state becomes paused."""

    backend: str = attrs.field(metadata=_BACKEND)


@attrs.frozen
class ResumeBackend:
    """Probe again, from unknown."""

    backend: str = attrs.field(metadata=_BACKEND)


@attrs.frozen
class DisableBackend:
    """No probes, no flows: weight 0 and established flows flushed."""

    backend: str = attrs.field(metadata=_BACKEND)


@attrs.frozen
class EnableBackend:
    """Use it again, from unknown."""

    backend: str = attrs.field(metadata=_BACKEND)


@attrs.frozen
class ResetBackend:
    """Clear a command's change of the admin state: the file decides again."""

    backend: str = attrs.field(metadata=_BACKEND)


@attrs.frozen
class SetFrontendPoolBackendWeight:
    """Give a backend another weight, 0 to 100, in one pool of one frontend."""

    frontend: str = attrs.field(metadata=_FRONTEND)
    pool: str = attrs.field(metadata=_POOL)
    backend: str = attrs.field(metadata=_MEMBER)
    weight: int = attrs.field(metadata=argument("weight", "weight, 0 (no new flows) to 100"))


@attrs.frozen
class ResetFrontendPoolBackendWeight:
    """Clear a command's change of the weight: the file decides again."""

    frontend: str = attrs.field(metadata=_FRONTEND)
    pool: str = attrs.field(metadata=_POOL)
    backend: str = attrs.field(metadata=_MEMBER)


@attrs.frozen
class SyncDataplane:
    """Make the dataplane what it should be.

    Args:
        frontend: Only this one's address; `None` for all.
        recreate: Also put right what only making a VIP anew can (established flows are lost).
        prune: Also remove VIPs that were never configured.
    """

    frontend: str | None = attrs.field(default=None, metadata=_FRONTEND)
    recreate: bool = attrs.field(
        default=False,
        metadata=argument(
            "flag", "also delete and create VIPs where nothing else helps: established flows are lost", disruptive=True
        ),
    )
    prune: bool = attrs.field(
        default=False,
        metadata=argument("flag", "also remove VIPs that were never configured here", disruptive=True),
    )


@attrs.frozen
class ReloadConfig:
    """Read the configuration again; `force` also lets it remove more than half of the VIPs."""

    force: bool = attrs.field(
        default=False,
        metadata=argument("flag", "even if that removes more than half of the VIPs", disruptive=True),
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
        "stop its probes; no new flows, established flows stay",
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
        "no probes, no flows; established flows are flushed",
        disruptive=True,
        states=_PROBED | {BackendState.PAUSED},
    ),
    CommandInfo(
        ResetBackend,
        ("set backend <backend> reset",),
        "Reset state",
        "drop what a command has set: the configuration file decides again",
        undoes_override=True,
    ),
    CommandInfo(
        SetFrontendPoolBackendWeight,
        (f"{_MEMBER_LINE} <weight>",),
        "Weight",
        "set its weight, until that is reset or changed in the configuration file",
    ),
    CommandInfo(
        ResetFrontendPoolBackendWeight,
        (f"{_MEMBER_LINE} reset",),
        "Reset weight",
        "drop what a command has set: the configuration file decides again",
        undoes_override=True,
    ),
    CommandInfo(
        SyncDataplane,
        ("sync vpp lb state [<frontend>]", "sync dataplane state [<frontend>]"),
        "Sync",
        "write to the dataplane what differs there: all VIPs, or those on one frontend's address",
    ),
    CommandInfo(ReloadConfig, ("config reload",), "Reload", "read the configuration file again, if it is valid"),
)
"""Every command that changes something."""

COMMAND_WORDS: Mapping[str, str] = {
    "set": "change a backend's state or weight",
    "set backend": "the state of a backend",
    "set frontend": "a weight in a frontend",
    "set frontend <frontend> pool": "one pool of the frontend",
    "set frontend <frontend> pool <pool> backend": "one backend of the pool",
    "sync": "write to the dataplane what differs there",
    "sync vpp": "the dataplane",
    "sync vpp lb": "load balancing",
    "sync dataplane": "the dataplane, whichever it is",
    "config": "the configuration file of maglevd",
}
"""What words are for that more than one command begins with."""


@attrs.frozen
class CommandResult:
    """What a command did.

    Args:
        changed: Whether anything is different now.
        messages: What the giver should know: a rounded weight, an override, what is held back.
        errors: Operations that the dataplane did not carry out, each in words; they are tried again.
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
        name: What was asked for.
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
