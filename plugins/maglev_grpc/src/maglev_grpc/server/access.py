"""Decides who calls, and whether they may change things, from what gRPC knows of the connection; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from urllib.parse import unquote

import attrs

from maglev.api import Actor
from maglev_grpc.server.secrets import Secrets

_RELAYED = "unix-abstract:"
_BEARER = "bearer "


@attrs.frozen
class Caller:
    """Who makes one call.

    Args:
        name: A certificate's subject, a user's number, `token`, `local` or `anonymous`.
        peer: Where the call comes from.
        may_change: Whether it may change things.
        why: Why, or why not, in words.
        wrong_token: Whether it carries a token, over TLS, that is none of ours; it may change things for other reasons.
    """

    name: str
    peer: str
    may_change: bool
    why: str
    wrong_token: bool = False

    @property
    def actor(self) -> Actor:
        """Who this is in the audit record."""
        return Actor(self.name, "grpc", self.peer, self.why)


@attrs.frozen
class Peer:
    """The other end of a connection.

    Args:
        text: For people.
        loopback: Whether it is on this host, over TCP.
        uid: The user on the other end of our unix socket; `None` if it came otherwise.
    """

    text: str
    loopback: bool = False
    uid: int | None = None


def read_peer(uri: str, relay: str = "") -> Peer:
    """Read what gRPC says of a peer.

    Args:
        uri: As `ipv4:192.0.2.1:50000`, `ipv6:%5B2001:db8::1%5D:50000` or `unix-abstract:…`.
        relay: What the names begin with that our own relay of the unix socket binds to; empty if there is none.
    """
    decoded = unquote(uri)
    if relay and decoded.startswith(_RELAYED + relay):
        uid, pid, _number = decoded.removeprefix(_RELAYED + relay).split("/")
        return Peer(f"unix:uid={uid},pid={pid}", uid=int(uid))
    scheme, _, rest = decoded.partition(":")
    if scheme not in ("ipv4", "ipv6"):
        return Peer(decoded)
    host = rest.rpartition(":")[0].strip("[]")
    try:
        address = ip_address(host)
    except ValueError:
        return Peer(rest)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return Peer(rest, loopback=address.is_loopback)


@attrs.frozen
class Policy:
    """Decides who may change things.

    Args:
        own_uid: The user that this process runs as.
        allow_remote_writes: Whether everybody may change things.
        relay: As in `read_peer`.
    """

    own_uid: int
    allow_remote_writes: bool = False
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
        known = secure and token is not None and secrets.knows(token)
        wrong = secure and token is not None and bool(secrets.tokens) and not known
        name = subject or _name(peer, known=known)
        for allowed, why in (
            (bool(subject), "client certificate"),
            (known, "token"),
            (peer.uid is not None and peer.uid in (0, self.own_uid), "unix socket"),
            (peer.loopback, "loopback"),
            (self.allow_remote_writes, "allow-remote-writes"),
        ):
            if allowed:
                return Caller(name, peer.text, may_change=True, why=why, wrong_token=wrong)
        refusal = _refusal(peer, token, secure=secure, secrets=secrets)
        return Caller(name, peer.text, may_change=False, why=refusal, wrong_token=wrong)


def _token(metadata: Iterable[tuple[str, str | bytes]]) -> bytes | None:
    for key, value in metadata:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if key == "authorization" and text[: len(_BEARER)].lower() == _BEARER:
            return text[len(_BEARER) :].strip().encode("utf-8", "surrogateescape")
    return None


def _name(peer: Peer, *, known: bool) -> str:
    if known:
        return "token"
    if peer.uid is not None:
        return f"uid {peer.uid}"
    return "local" if peer.loopback else "anonymous"


def _refusal(peer: Peer, token: bytes | None, *, secure: bool, secrets: Secrets) -> str:
    if token is not None and not secure:
        return "a token counts over TLS only"
    if token is not None and secrets.tokens:
        return "the token is not the right one"
    if peer.uid is not None:
        return f"on the unix socket only root and maglevd's own user may change things, and you are uid {peer.uid}"
    if secrets.tokens:
        return f"{peer.text} may only read: changing things needs a token, or a connection from the host itself"
    return f"{peer.text} may only read: changing things needs a connection from the host itself"
