"""From configured weights to weights in the table: the weight step, and how to recognise one in a dataplane.

Every unit of weight is an entry in the new-flow table, and the more entries compete for its buckets, the more flows of
*other* servers move whenever one server's weight changes: with 16 384 buckets and ten servers of weight 100, draining
one moves 7.2 % of the others' buckets at a hundred entries a server, 2.2 % at ten, 0.6 % at one. So what goes into the
table is weight / step, where the step is the coarsest that a file's weights allow.

A step belongs to a VIP for good. It never follows weights that are set at run time: a step that goes from 100 to 1
because one server was set to 99 moves nearly every bucket.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import attrs

from maglev.domain.table import MAX_WEIGHT, Address

_COARSEST_AUTOMATIC_STEP = 10
"""Leaves ten grades below 100 to whoever sets weights at run time."""


@attrs.frozen
class TableWeight:
    """A configured weight on its way into the table.

    Args:
        value: The weight in the table, 0 to 100.
        rounded: Whether value × step is another weight than the one that was asked for, which an operator is told.
    """

    value: int
    rounded: bool


def weight_step(weights: Iterable[int]) -> int:
    """Return the step for `weight-step: auto`: the greatest common divisor of 10 and a frontend's weights.

    All 100: 10. 100 and 75: 5. 100 and 1: 1. Nothing but zeros, or nothing at all: 100, for equals.

    Args:
        weights: All weights of one frontend in the file, over all its pools, each 0 to 100.

    Raises:
        ValueError: A weight is not 0 to 100.
    """
    given = tuple(weights)
    for weight in given:
        _check_weight(weight)
    return math.gcd(_COARSEST_AUTOMATIC_STEP, *given) if any(given) else MAX_WEIGHT


def table_weight(weight: int, step: int) -> TableWeight:
    """Return weight / step, rounded half up, but never from a weight above 0 to 0: that would be a drain.

    Args:
        weight: Configured or set at run time, 0 to 100.
        step: Of the frontend, 1 to 100.

    Raises:
        ValueError: The weight or the step is out of range.
    """
    _check_weight(weight)
    if not 1 <= step <= MAX_WEIGHT:
        raise ValueError(f"weight step is {step}: 1 to {MAX_WEIGHT} is allowed")
    value = _scaled(weight, step)
    return TableWeight(value, rounded=value * step != weight)


def infer_step(
    table_weights: Mapping[Address, int], weights: Mapping[Address, int], *, expected: int | None = None
) -> int | None:
    """Tell by which step a VIP's weights in a dataplane came from configured ones; it keeps that step.

    Another controller, or an earlier file, may have written them; writing one server's weight on another step than
    its neighbours' would skew the table. Evidence are the *carrying* servers, those with weight in the dataplane and
    in the configuration: one at 0 (down, standing by, drained) has weight 0 on every step.

    A step *explains* a carrying server if `table_weight` makes that server's weight in the table from its configured
    one. The step must explain more than half of the carrying servers (the others' weights changed meanwhile: in the
    file, or by hand). Of those that do, the one that explains most servers wins; between equals `expected`, then the
    one that explains most of them without rounding: 50 → 1 may be any step from 34 up, but is 50 if nothing else is
    known. Weights that were all scaled alike in the file look like another step; the table is right as it is then too.

    Args:
        table_weights: Weight in the dataplane by server address.
        weights: Effective weight by server address, 0 to 100, with what was set at run time: what ought to be there
            when divided by the step.
        expected: The frontend's own step from the file: nothing is inferred against it without evidence.

    Returns:
        1 to 100, or `None`: no server carries weight, or no step explains most of them, or two explain them equally
        well. Then the frontend's own step holds.
    """
    carrying = [(found, weights[server]) for server, found in table_weights.items() if found and weights.get(server)]
    ranks: dict[int, tuple[int, bool, int]] = {}
    for step in range(1, MAX_WEIGHT + 1):
        explained = [(found, weight) for found, weight in carrying if _scaled(weight, step) == found]
        exact = sum(found * step == weight for found, weight in explained)
        ranks[step] = (len(explained), step == expected, exact)
    best = max(ranks.values())
    winners = [step for step, rank in ranks.items() if rank == best]
    return winners[0] if len(winners) == 1 and 2 * best[0] > len(carrying) else None


def _scaled(weight: int, step: int) -> int:
    return max(1, (2 * weight + step) // (2 * step)) if weight else 0


def _check_weight(weight: int) -> None:
    if not 0 <= weight <= MAX_WEIGHT:
        raise ValueError(f"weight is {weight}: 0 to {MAX_WEIGHT} is allowed")
