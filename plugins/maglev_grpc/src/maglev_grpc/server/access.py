"""Decides who calls, and whether they may change things, from what gRPC knows of the connection; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote

import attrs

from maglev.api import Actor
from maglev.listening import is_loopback, written
from maglev_grpc.server.secrets import Secrets

_RELAYED = "unix-abstract:"
_BEARER = "bearer "


@attrs.frozen
class Caller:
    """The caller of one call.

    Args:
        name: A certificate's subject, a token's name, a user's number, `local` or `anonymous`.
        peer: Where the call comes from.
        may_change: Whether it may change things.
        why: Why, or why not, in words.
        wrong_token: Whether it carries a token that counts and is none of ours; it may change things for other reasons.
    """

    name: str
    peer: str
    may_change: bool
    why: str
    wrong_token: bool = False

    @property
    def actor(self) -> Actor:
        """The caller as the audit record names it."""
        return Actor(self.name, "grpc", self.peer, self.why)


@attrs.frozen
class Peer:
    """The other end of a connection.

    Args:
        text: For people.
        loopback: Whether it is on this host, over TCP.
        uid: The user on the other end, where it is on this host and the kernel says so.
    """

    text: str
    loopback: bool = False
    uid: int | None = None

    @property
    def local(self) -> bool:
        """Whether it is on this host."""
        return self.loopback or self.uid is not None


def read_peer(uri: str, relay: str) -> Peer:
    """Read what gRPC says of a peer.

    Args:
        uri: The abstract name that our relay gave its end of the inner connection; behind `relay` come user, process
            and a number for a unix socket, and for TCP the user (empty: not known), address, port and a number.
        relay: What these names begin with.
    """
    decoded = unquote(uri)
    if not decoded.startswith(_RELAYED + relay):
        return Peer(decoded)
    match decoded.removeprefix(_RELAYED + relay).split("/"):
        case uid, pid, _number:
            return Peer(f"unix:uid={uid},pid={pid}", uid=int(uid))
        case uid, address, port, _number:
            return Peer(written(address, int(port)), is_loopback(address), int(uid) if uid else None)
        case _:
            return Peer(decoded)


@attrs.frozen
class Policy:
    """Decides who may change things.

    Args:
        own_uid: The user that this process runs as.
        allow_remote_writes: Whether everybody may change things.
        local_writes: Whose connections from this host may do so without a token: those of `all` users, of the
            `same-user` and root, or of `none`.
        relay: As in `read_peer`.
    """

    own_uid: int
    allow_remote_writes: bool = False
    local_writes: str = "same-user"
    relay: str = ""

    def decide(
        self,
        uri: str,
        authenticated: Mapping[str, Sequence[bytes]],
        metadata: Iterable[tuple[str, str | bytes]],
        secrets: Secrets,
    ) -> Caller:
        """Decide who calls, and whether they may change things.

        Args:
            uri: The peer as gRPC names it.
            authenticated: What gRPC knows of the connection's security (`auth_context`).
            metadata: What the call carries.
            secrets: The tokens in force.
        """
        peer = read_peer(uri, self.relay)
        secure = b"ssl" in authenticated.get("transport_security_type", ())
        subject = b"".join(authenticated.get("x509_subject", ())[:1]).decode("utf-8", "replace") if secure else ""
        token = _token(metadata)
        counts = token is not None and (secure or peer.local)  # nothing of this host goes over a network
        known = secrets.whose(token) if token is not None and counts else None
        wrong = counts and bool(secrets.tokens) and known is None
        name = subject or known or _name(peer)
        for allowed, why in (
            (bool(subject), "client certificate"),
            (known is not None, "token"),
            (self._may_locally(peer), "loopback" if peer.loopback else "unix socket"),
            (self.allow_remote_writes, "allow-remote-writes"),
        ):
            if allowed:
                return Caller(name, peer.text, may_change=True, why=why, wrong_token=wrong)
        refusal = self._refusal(peer, token, counts=counts, secrets=secrets)
        return Caller(name, peer.text, may_change=False, why=refusal, wrong_token=wrong)

    def _may_locally(self, peer: Peer) -> bool:
        if self.local_writes == "all":
            return peer.local
        return self.local_writes == "same-user" and peer.uid is not None and peer.uid in (0, self.own_uid)

    def _refusal(self, peer: Peer, token: bytes | None, *, counts: bool, secrets: Secrets) -> str:
        if token is not None and not counts:
            return "from another host a token needs TLS"
        if token is not None and secrets.tokens:
            return "the token is wrong"
        with_token = ", and clients with a token" if secrets.tokens else ""
        if peer.local and self.local_writes != "none":
            you = "the kernel does not report your user" if peer.uid is None else f"you are uid {peer.uid}"
            return f"on this host root and maglevd's own user may make changes{with_token}; {you}"
        if peer.local:
            need = "a token or a client certificate" if secrets.tokens else "a client certificate"
            return f"{peer.text} may only read: local-writes is none, and changes need {need}"
        if secrets.tokens:
            return f"{peer.text} may only read: changing things needs a token, or a connection from the host itself"
        return f"{peer.text} may only read: changing things needs a connection from the host itself"


def _token(metadata: Iterable[tuple[str, str | bytes]]) -> bytes | None:
    for key, value in metadata:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if key == "authorization" and text[: len(_BEARER)].lower() == _BEARER:
            return text[len(_BEARER) :].strip().encode("utf-8", "surrogateescape")
    return None


def _name(peer: Peer) -> str:
    if peer.uid is not None:
        return f"uid {peer.uid}"
    return "local" if peer.loopback else "anonymous"
