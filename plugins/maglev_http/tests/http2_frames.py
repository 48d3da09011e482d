"""Writes the frames of an HTTP/2 server, valid and invalid."""

from __future__ import annotations

import hpack
import hyperframe.frame as frames

SETTINGS = frames.SettingsFrame(0).serialize()


def head(*fields: tuple[str, str], status: str | None = "200", end: bool = False) -> bytes:
    lines = [(":status", status)] if status is not None else []
    made = frames.HeadersFrame(1, hpack.Encoder().encode([*lines, *fields]))
    made.flags.add("END_HEADERS")
    if end:
        made.flags.add("END_STREAM")
    return made.serialize()


def body(data: bytes, *, end: bool = True) -> bytes:
    made = frames.DataFrame(1, data)
    if end:
        made.flags.add("END_STREAM")
    return made.serialize()


def go_away(last: int, code: int = 0) -> bytes:
    return frames.GoAwayFrame(0, last_stream_id=last, error_code=code).serialize()
