"""One conversation over HTTP/2 (RFC 9113): a single request, judged like an answer over HTTP/1.1."""

from __future__ import annotations

import re
from collections.abc import Iterable

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from maglev.api import CLOSED_EARLY, RESET_EARLY, TIMED_OUT_L7, Closed, Code, Conversation, Done, ProbeResult, Send
from maglev_http.body import LIMIT, agreed_length
from maglev_http.conversations import LATE_ANSWER
from maglev_http.head import MAX_INTERIM, Malformed
from maglev_http.redirects import FOLLOWED, REDIRECTS
from maglev_http.verdicts import Verdicts

MOST_READ = 1_048_576
"""The most that is read of a connection, in bytes: floods of settings and pings end there."""
_STREAM = 1
_FRAME_HEAD = 9
_LARGEST_FRAME = 16_384  # without a setting that says otherwise
_SETTINGS_FRAME = 4
_GO_AWAY = b"\x07"
_WINDOW = 2 * LIMIT  # so large that nothing need be acknowledged before the verdict
_CONFIG = h2.config.H2Configuration(client_side=True, header_encoding=None)
_SETTINGS = {
    h2.settings.SettingCodes.ENABLE_PUSH: 0,
    h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 65_536,
    h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
}
# What concerns one connection has no place in HTTP/2 (RFC 9113, 8.2.2), and `:authority` stands for the host.
_LEFT_OUT = frozenset(
    {b"host", b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)
_STATUS = re.compile(rb"[1-9][0-9]{2}")
_BROKEN = "broke the protocol: not HTTP/2, or not as it should be"


class Http2Conversation(Conversation):
    """Asks once, and judges.

    Args:
        method: The request's method.
        scheme: `http` or `https`.
        authority: What HTTP/1.1 says behind `Host:`.
        path: The path, with the query.
        headers: Names and values of all headers; those that HTTP/2 has no place for are left out.
        verdicts: How to judge.
        follow: Whether to end at a redirect, which is then in `redirect`.
    """

    __slots__ = (
        "_begun",
        "_buffer",
        "_connection",
        "_content",
        "_follow",
        "_interim",
        "_request",
        "_seen",
        "_status",
        "_verdicts",
        "redirect",
    )

    def __init__(
        self,
        method: bytes,
        scheme: bytes,
        authority: bytes,
        path: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        verdicts: Verdicts,
        *,
        follow: bool = False,
    ) -> None:
        self._request = [(b":method", method), (b":authority", authority), (b":scheme", scheme), (b":path", path)]
        self._request += [(name.lower(), value) for name, value in headers if name.lower() not in _LEFT_OUT]
        self._connection = h2.connection.H2Connection(_CONFIG)
        self._connection.local_settings = h2.settings.Settings(client=True, initial_values=dict(_SETTINGS))
        self._verdicts = verdicts
        self._follow = follow
        self._status = 0
        self._buffer = bytearray()
        self._content = bytearray()
        self._interim = 0
        self._seen = 0
        self._begun = False
        self.redirect: tuple[int, bytes] | None = None
        """The status and the `Location` of a redirect that is to be followed."""

    def opening(self) -> bytes:
        self._connection.initiate_connection()
        self._connection.increment_flow_control_window(_WINDOW)
        self._connection.send_headers(_STREAM, self._request, end_stream=True)
        return self._connection.data_to_send()

    def receive(self, data: bytes) -> Done | Send | None:
        self._seen += len(data)
        if self._seen > MOST_READ:
            return _failure(f"broke the protocol: more than {MOST_READ // 1024} KiB without an answer")
        self._buffer += data
        try:
            while frame := self._next_frame():
                for event in () if _leaves_politely(frame) else self._connection.receive_data(frame):
                    if done := self._on(event):
                        return done
        except h2.exceptions.H2Error:
            return _failure(_BROKEN)
        except Malformed as error:
            return _failure(str(error))
        answer = self._connection.data_to_send()
        return Send(answer) if answer else None

    def closed(self, why: Closed) -> ProbeResult:
        if not self._seen:
            return ProbeResult(Code.L7RSP, f"{why.value} without an answer")
        return CLOSED_EARLY if why is Closed.EOF else RESET_EARLY

    def expired(self) -> ProbeResult:
        return TIMED_OUT_L7 if self._seen else LATE_ANSWER

    def _next_frame(self) -> bytes:
        """Take a whole frame (RFC 9113, 4.1); empty: wait.

        Raises:
            Malformed: What has come begins no frame that may be sent, or not with the settings (3.4).
        """
        buffer = self._buffer
        length = _FRAME_HEAD + int.from_bytes(buffer[:3], "big")
        if len(buffer) >= 3 and length > _FRAME_HEAD + _LARGEST_FRAME:
            raise Malformed(_BROKEN)
        if len(buffer) > 3 and not self._begun and buffer[3] != _SETTINGS_FRAME:
            raise Malformed(_BROKEN)
        if len(buffer) < max(length, _FRAME_HEAD):
            return b""
        self._begun = True
        frame = bytes(buffer[:length])
        del buffer[: len(frame)]
        return frame

    def _on(self, event: h2.events.Event) -> Done | None:
        if isinstance(event, h2.events.InformationalResponseReceived):
            self._on_interim()
            return None
        if isinstance(event, h2.events.ResponseReceived):
            return self._on_head(event)
        if isinstance(event, h2.events.DataReceived):
            return self._on_data(event)
        if isinstance(event, h2.events.StreamEnded):
            return self._verdicts.of_content(self._status, bytes(self._content))
        if isinstance(event, h2.events.StreamReset):
            return _failure("reset the request's stream")
        if isinstance(event, h2.events.ConnectionTerminated):
            return _failure("went away without an answer")
        return None

    def _on_interim(self) -> None:
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise Malformed(f"broke the protocol: more than {MAX_INTERIM} interim answers")

    def _on_head(self, event: h2.events.ResponseReceived) -> Done | None:
        fields: dict[bytes, list[bytes]] = {}
        for name, value in event.headers:
            fields.setdefault(bytes(name), []).append(bytes(value))
        (status,) = fields[b":status"]
        if not _STATUS.fullmatch(status):
            raise Malformed("broke the protocol: the status is not a number")
        self._status = int(status)
        if self._follow and self._status in REDIRECTS and b"location" in fields:
            self.redirect = self._status, fields[b"location"][0]
            return FOLLOWED
        if self._status in self._verdicts.codes:
            agreed_length(fields.get(b"content-length", []))
            if self._verdicts.pattern is not None:
                return None
        return self._verdicts.of_status(self._status)

    def _on_data(self, event: h2.events.DataReceived) -> Done | None:
        self._content += event.data[: LIMIT - len(self._content)]
        if len(self._content) >= LIMIT:
            return self._verdicts.of_content(self._status, bytes(self._content))
        return None


def _leaves_politely(frame: bytes) -> bool:
    """Whether a frame says that the server takes no more requests but will still answer ours (RFC 9113, 6.8).

    For h2 nothing may follow it, so it is not shown to h2.
    """
    last, error = int.from_bytes(frame[9:13], "big") & 0x7FFF_FFFF, frame[13:17]
    return frame[3:4] == _GO_AWAY and frame[5:9] == bytes(4) and last >= _STREAM and error == bytes(4)


def _failure(detail: str) -> Done:
    return Done(ProbeResult(Code.L7RSP, detail))
