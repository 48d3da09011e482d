"""The result of one probe: a code (HAProxy's where it has one) and its meaning.

A *verdict* is a pass or a failure and moves a backend's counter. A result that this host caused (no descriptor, no
local port, no room in a buffer, no namespace, a fault in a checker, a stalled process) is *void*: it does not count.
"""

from __future__ import annotations

from enum import Enum, StrEnum

import attrs


class Layer(StrEnum):
    """The layer a probe was working at when it ended."""

    L4 = "L4"
    L6 = "L6"
    L7 = "L7"
    NONE = ""


class Verdict(Enum):
    """The effect of a result on the backend's counter."""

    PASS = "pass"
    FAIL = "fail"
    VOID = "void"


def _verdict_of(code: str) -> Verdict:
    if not code.startswith(("L4", "L6", "L7")):
        return Verdict.VOID
    return Verdict.PASS if code.endswith("OK") else Verdict.FAIL


class Code(StrEnum):
    """The code of a probe's result.

    The `L…` codes have HAProxy's meanings. The others are ours and are all void.
    """

    L4OK = "L4OK"
    """The transport answered: a TCP connection was made, or an echo came back."""
    L4TOUT = "L4TOUT"
    """The transport did not answer in time."""
    L4CON = "L4CON"
    """Refused or unreachable."""
    L6OK = "L6OK"
    """The TLS handshake succeeded, and nothing more was asked."""
    L6TOUT = "L6TOUT"
    """The TLS handshake did not finish in time."""
    L6RSP = "L6RSP"
    """TLS failed: a bad certificate, no common version, or no TLS at all."""
    L7OK = "L7OK"
    """The application answered as it should."""
    L7TOUT = "L7TOUT"
    """The application did not finish its answer in time."""
    L7RSP = "L7RSP"
    """The application broke the protocol, closed early, or its content was wrong."""
    L7STS = "L7STS"
    """The application answered with a status that was not wanted."""

    NOFILE = "NOFILE"
    """Void: this process is out of file descriptors or the system out of memory for sockets."""
    NOPORT = "NOPORT"
    """Void: no local port or local address was free to probe from."""
    NOSEND = "NOSEND"
    """Void: this host did not send: a buffer, queue or table of its own is full, or its own firewall forbids it."""
    NETNS = "NETNS"
    """Void: the network namespace is missing or may not be entered."""
    ERROR = "ERROR"
    """Void: a fault in the checker itself, outside the reading of the peer's bytes."""
    LAG = "LAG"
    """Void: the peer hung up while this process was stalled, so the failure proves nothing."""
    DPLOST = "DPLOST"
    """Void: probes run through the dataplane, and the dataplane was lost."""

    def __init__(self, text: str) -> None:
        # An attribute, not a property: every probe's result is asked for it several times.
        self.verdict = _verdict_of(text)
        """Pass, failure or void."""

    @property
    def layer(self) -> Layer:
        """The layer the code speaks of; `Layer.NONE` for void codes."""
        return _LAYERS[self]


_LAYERS = {code: Layer(code.value[:2]) if code.verdict is not Verdict.VOID else Layer.NONE for code in Code}
_PASS = Verdict.PASS


@attrs.frozen
class ProbeResult:
    """The result of one probe.

    Args:
        code: The cause of its end.
        detail: One short human-readable line: the status, the error, what was expected. Never the peer's raw bytes;
            `maglev.patterns.shown` quotes the first of them.
        duration_ns: From the start of the probe to its end, in nanoseconds. The engine fills it in: a checker may
            build its results once and hand out the same ones again and again.
    """

    code: Code
    detail: str = ""
    duration_ns: int = 0

    @property
    def verdict(self) -> Verdict:
        """Pass, failure or void."""
        return self.code.verdict

    @property
    def ok(self) -> bool:
        """Whether the backend passed."""
        return self.code.verdict is _PASS

    @property
    def layer(self) -> Layer:
        """The layer the probe was working at when it ended."""
        return _LAYERS[self.code]

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else str(self.code)
