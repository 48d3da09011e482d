"""Sets of status codes, written as `200-299,304`."""

from __future__ import annotations

import re

_PART = re.compile(r"\s*([0-9]{3})\s*(?:-\s*([0-9]{3})\s*)?")


def parse_codes(text: int | str) -> frozenset[int]:
    """Read a status code, or codes and ranges with commas between: `200`, `"200-299,304"`.

    Raises:
        ValueError: It is something else, or a range runs backwards.
    """
    codes: set[int] = set()
    for part in str(text).split(","):
        match = _PART.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 100 <= first <= last:
            raise ValueError(f"{part.strip()!r} is not a status code or range of codes, such as 200-299,304")
        codes.update(range(first, last + 1))
    return frozenset(codes)
