from __future__ import annotations

import resource

import pytest

from maglev.descriptors import MOST, raise_limit

NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    "soft,hard,raised",
    [
        (1024, 524_288, 524_288),
        (1024, 1024, 1024),
        (1024, NONE, MOST),
        (1024, 1 << 30, MOST),
        (1 << 29, 1 << 30, 1 << 29),
        (NONE, NONE, NONE),
    ],
)
def test_the_soft_limit_is_raised_within_bounds_and_never_lowered(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int
) -> None:
    limits = [soft, hard]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, new: limits.__setitem__(slice(None), list(new)))
    assert raise_limit() == (soft, raised)
    assert limits == [raised, hard]


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_a_limit_that_may_not_be_raised_stays(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def refuse(_which: int, _new: object) -> None:
        raise error

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_limit() == (1024, 1024)
