"""What ought to happen, computed before it does, and what did happen.

A failure is predicted by the pure domain from nothing but the configuration and the states that backends will have; a
command by asking the controller for a preview. What happened is read from the dataplane.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from maglev.api import BackendState, Control, FrontendState, Preview, VipKey
from maglev.config import Config
from maglev.config.resolve import resolve
from maglev.dataplanes.memory import MemoryDataplane
from maglev.domain.desired import desired_vip
from maglev.domain.disruption import Disruption, disruption
from maglev.domain.frontend import assess
from maglev.domain.model import BackendStatus
from maglev.domain.table import Address, Table, new_flow_table


@attrs.frozen
class Expected:
    """What one frontend should come to.

    Args:
        vip: Its VIP.
        table: The new-flow table that the dataplane should have.
        active_pool: The pool that should serve; empty where nobody said.
        state: The state it should have; `None` where nobody said.
    """

    vip: VipKey
    table: Table
    active_pool: str = ""
    state: FrontendState | None = None


@attrs.frozen
class Found:
    """What one frontend came to.

    Args:
        expected: What was predicted.
        table: The dataplane's new-flow table.
        wrong: What differs, in words; empty if the prediction was right.
        moved: What became of new flows since the table before; `None` where there was none to compare with.
    """

    expected: Expected
    table: Table
    wrong: tuple[str, ...]
    moved: Disruption | None = None

    @property
    def untouched(self) -> bool:
        """Whether everything is as predicted, and no new flow goes elsewhere than before."""
        return not self.wrong and self.moved is not None and not self.moved.changed

    @property
    def agreeing(self) -> int:
        """How many buckets have the server that was predicted."""
        return len(self.table) - disruption(self.expected.table, self.table).changed


def expect_states(config: Config, states: Mapping[str, BackendState]) -> dict[str, Expected]:
    """Predict what all frontends come to, as the file has them.

    Args:
        config: The configuration.
        states: The state that each backend will have.
    """
    statuses = {name: BackendStatus(state) for name, state in states.items()}
    expected = {}
    for name, frontend in resolve(config).frontends.items():
        assessment = assess(frontend, statuses, (), None)
        wanted = desired_vip(frontend, assessment, None)
        weights = {server: one.weight for server, one in wanted.servers.items()}
        table = new_flow_table(weights, wanted.attributes.table_length)
        expected[name] = Expected(frontend.vip, table, assessment.active_pool, assessment.state)
    return expected


def expect_preview(control: Control, preview: Preview, now: Mapping[str, Table]) -> dict[str, Expected]:
    """Take a preview for a prediction; frontends that it does not name should stay as they are.

    Args:
        control: For the VIPs.
        preview: What the controller says that a command would do.
        now: The tables as they are, by frontend.
    """
    snapshots = control.snapshot().frontends
    previewed = {
        one.frontend: new_flow_table(one.after.table_weights, snapshots[one.frontend].table_length)
        for one in preview.frontends
    }
    return {name: Expected(snapshots[name].vip, previewed.get(name, table)) for name, table in now.items()}


async def tables(control: Control, dataplane: MemoryDataplane) -> dict[str, Table]:
    """The dataplane's own new-flow tables, by frontend."""
    return {
        name: await dataplane.store.traffic.table(frontend.vip)
        for name, frontend in control.snapshot().frontends.items()
        if frontend.vip in dataplane.store.vips
    }


async def compare(
    control: Control,
    dataplane: MemoryDataplane,
    expected: Mapping[str, Expected],
    before: Mapping[str, Table] | None = None,
) -> dict[str, Found]:
    """Look at what there is.

    Args:
        control: For what the controller holds of its frontends.
        dataplane: For what the dataplane holds.
        expected: The prediction.
        before: The tables before it all, to tell what moved.
    """
    now = await tables(control, dataplane)
    snapshots = control.snapshot().frontends
    found = {}
    for name, wanted in expected.items():
        frontend = snapshots[name]
        wrong = [
            f"{what} is {is_}, {should} was predicted"
            for what, is_, should in (
                ("active pool", frontend.active_pool, wanted.active_pool),
                ("state", frontend.state, wanted.state),
            )
            if should and is_ != should
        ]
        if disruption(wanted.table, now[name]).changed:
            wrong.append(f"table has {_counts(now[name])}, {_counts(wanted.table)} was predicted")
        moved = disruption(before[name], now[name]) if before is not None else None
        found[name] = Found(wanted, now[name], tuple(wrong), moved)
    return found


def _counts(table: Table) -> Mapping[str, int]:
    counts: Mapping[Address, int] = table.counts()
    return {str(server): buckets for server, buckets in counts.items()}
