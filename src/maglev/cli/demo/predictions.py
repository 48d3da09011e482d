"""Predicts what a step leads to, and compares that with the dataplane afterwards.

A failure is predicted by the pure domain, from nothing but the configuration and the states that backends will have. A
command is predicted by the controller's preview.
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
from maglev.domain.table import Table, new_flow_table


@attrs.frozen
class Prediction:
    """The predicted weights and buckets of one frontend.

    Args:
        vip: Its VIP.
        table: The new-flow table of the dataplane.
        active_pool: The pool that serves; empty if not predicted.
        state: Its state; `None` if not predicted.
    """

    vip: VipKey
    table: Table
    active_pool: str = ""
    state: FrontendState | None = None


@attrs.frozen
class Comparison:
    """The prediction for one frontend, beside its present state.

    Args:
        prediction: What was predicted.
        table: The dataplane's new-flow table.
        differences: What differs, in words; empty if the prediction was right.
        moved: How new flows moved since the table before; `None` if there was none.
    """

    prediction: Prediction
    table: Table
    differences: tuple[str, ...]
    moved: Disruption | None = None

    @property
    def unchanged(self) -> bool:
        """Whether everything is as predicted, and no new flow moved."""
        return not self.differences and self.moved is not None and not self.moved.changed


def predict_states(config: Config, states: Mapping[str, BackendState]) -> dict[str, Prediction]:
    """Predict all frontends, without overrides.

    `states` holds the state that each backend will have.
    """
    statuses = {name: BackendStatus(state) for name, state in states.items()}
    predictions = {}
    for name, frontend in resolve(config).frontends.items():
        assessment = assess(frontend, statuses, (), None)
        wanted = desired_vip(frontend, assessment, None)
        weights = {server: one.weight for server, one in wanted.servers.items()}
        table = new_flow_table(weights, wanted.attributes.table_length)
        predictions[name] = Prediction(frontend.vip, table, assessment.active_pool, assessment.state)
    return predictions


def predict_command(control: Control, preview: Preview, now: Mapping[str, Table]) -> dict[str, Prediction]:
    """Turn a preview into a prediction; frontends that it does not name should stay as they are.

    `now` holds the tables before the command, by frontend.
    """
    snapshots = control.snapshot().frontends
    predictions = {name: Prediction(snapshots[name].vip, table) for name, table in now.items()}
    for one in preview.frontends:
        frontend = snapshots[one.frontend]
        table = new_flow_table(one.after.table_weights, frontend.table_length)
        predictions[one.frontend] = Prediction(frontend.vip, table, one.after.active_pool, one.after.state)
    return predictions


async def tables(control: Control, dataplane: MemoryDataplane) -> dict[str, Table]:
    """Return the dataplane's own new-flow tables, by frontend."""
    return {
        name: await dataplane.store.traffic.table(frontend.vip)
        for name, frontend in control.snapshot().frontends.items()
        if frontend.vip in dataplane.store.vips
    }


async def compare(
    control: Control,
    dataplane: MemoryDataplane,
    predictions: Mapping[str, Prediction],
    before: Mapping[str, Table] | None = None,
) -> dict[str, Comparison]:
    """Compare predictions with what there is.

    `before` holds the tables before the step, to tell what moved.
    """
    now = await tables(control, dataplane)
    snapshots = control.snapshot().frontends
    compared = {}
    for name, predicted in predictions.items():
        frontend = snapshots[name]
        differences = [
            f"{what} is {found}, {wanted} was predicted"
            for what, found, wanted in (
                ("active pool", frontend.active_pool, predicted.active_pool),
                ("state", frontend.state, predicted.state),
            )
            if wanted and found != wanted
        ]
        if disruption(predicted.table, now[name]).changed:
            differences.append(f"table has {_counts(now[name])}, {_counts(predicted.table)} was predicted")
        moved = disruption(before[name], now[name]) if before is not None else None
        compared[name] = Comparison(predicted, now[name], tuple(differences), moved)
    return compared


def _counts(table: Table) -> Mapping[str, int]:
    return {str(server): buckets for server, buckets in table.counts().items()}
