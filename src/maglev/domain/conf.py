"""Plans writes of the values that apply to a whole dataplane."""

from __future__ import annotations

import attrs

from maglev.api import DataplaneConf, SetConf


@attrs.frozen
class ConfPlan:
    """The plan for the settings of the whole dataplane.

    Args:
        operation: What to write, before any VIP; `None` if nothing is to be written.
        drift: What will still differ, in words; empty if nothing will.
    """

    operation: SetConf | None = None
    drift: str = ""


def plan_conf(
    desired: DataplaneConf, actual: DataplaneConf, *, recreate: bool = False, empty: bool = False
) -> ConfPlan:
    """Plan the values that hold for the whole dataplane.

    Another number of sticky buckets makes VPP forget all established flows. It is written only where that is wanted or
    harms nobody.

    Args:
        desired: What is wanted.
        actual: What is found.
        recreate: Whether established flows may be forgotten.
        empty: Whether the dataplane holds no VIP, so that there are none.
    """
    wanted, found = desired.sticky_buckets_per_core, actual.sticky_buckets_per_core
    drift = ""
    if wanted != found and not (recreate or empty):
        desired = attrs.evolve(desired, sticky_buckets_per_core=found)
        drift = f"sticky buckets per core are {found}, wanted {wanted}"
    return ConfPlan(None if desired == actual else SetConf(desired), drift)
