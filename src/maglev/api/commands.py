"""What can be asked of the running controller, who asks it, and how it is refused."""

from __future__ import annotations

from collections.abc import Sequence

import attrs


@attrs.frozen
class Actor:
    """Who gives a command; written to the audit record.

    Args:
        name: A user, a certificate's subject, or the program.
        via: How it came: `grpc`, `signal`, `library`.
        peer: The address it came from; empty if it came from none.
    """

    name: str
    via: str
    peer: str = ""


@attrs.frozen
class PauseBackend:
    """No more probes; the state becomes paused."""

    backend: str


@attrs.frozen
class ResumeBackend:
    """Probe again, from unknown."""

    backend: str


@attrs.frozen
class DisableBackend:
    """No probes, no flows: weight 0 and established flows flushed."""

    backend: str


@attrs.frozen
class EnableBackend:
    """Use it again, from unknown."""

    backend: str


@attrs.frozen
class ResetBackend:
    """Clear a command's change of the admin state: the file decides again."""

    backend: str


@attrs.frozen
class SetFrontendPoolBackendWeight:
    """Give a backend another weight, 0 to 100, in one pool of one frontend."""

    frontend: str
    pool: str
    backend: str
    weight: int


@attrs.frozen
class ResetFrontendPoolBackendWeight:
    """Clear a command's change of the weight: the file decides again."""

    frontend: str
    pool: str
    backend: str


@attrs.frozen
class SyncDataplane:
    """Make the dataplane what it should be.

    Args:
        frontend: Only this one's address; `None` for all.
        recreate: Also put right what only making a VIP anew can (established flows are lost).
        prune: Also remove VIPs that were never configured.
    """

    frontend: str | None = None
    recreate: bool = False
    prune: bool = False


@attrs.frozen
class ReloadConfig:
    """Read the configuration again; `force` also lets it remove more than half of the VIPs."""

    force: bool = False


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
