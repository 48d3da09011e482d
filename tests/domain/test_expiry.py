from __future__ import annotations

import pytest

from maglev.domain.expiry import DAY_S, must_warn

NOW_S = 1_900_000_000.0


@pytest.mark.parametrize(
    "ends_s,within_s,warned_at_s,wanted",
    [
        (NOW_S + 15 * DAY_S, 14 * DAY_S, None, False),
        (NOW_S + 13 * DAY_S, 14 * DAY_S, None, True),
        (NOW_S - DAY_S, 14 * DAY_S, None, True),
        (NOW_S - DAY_S, 0.0, None, False),
        (NOW_S + 13 * DAY_S, 14 * DAY_S, NOW_S - 3600, False),
        (NOW_S + 13 * DAY_S, 14 * DAY_S, NOW_S - DAY_S, True),
        (NOW_S + 13 * DAY_S, 14 * DAY_S, NOW_S + 3600, True),
    ],
    ids=["far-away", "near", "over", "not-asked", "just-told", "told-yesterday", "clock-set-back"],
)
def test_who_is_warned_of_an_end(ends_s: float, within_s: float, warned_at_s: float | None, wanted: bool) -> None:
    assert must_warn(ends_s, NOW_S, within_s=within_s, warned_at_s=warned_at_s) is wanted
