"""Asks the rules of the configuration whether a document is valid, and takes out what they refuse.

The rules stand in `maglev.config` and in the checkers, and are not repeated here: whatever a reader lets pass, what is
written in the end passes `maglevd check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import attrs

from maglev.config import PluginSet
from maglev.config.assemble import assemble as read_data
from maglev.config.faults import Fault
from maglev.config.plugins import Installed
from maglev.config.semantics import semantic_errors
from maglev.migrate.document import Document, Item
from maglev.migrate.findings import Findings
from maglev.migrate.writing import one_line

_MOST_ROUNDS = 50
_MOST_AT_ONCE = 3
"""How many params of a check are tried without at a time, before all are."""
_CAN_BE_MISSED = ("description", "src-ip-sticky", "flush-on-down", "fast-interval", "down-interval", "timeout")


def repair(document: Document, plugins: Installed, findings: Findings) -> None:
    """Take out what is not valid, and report it.

    Args:
        document: Is changed.
        plugins: What is installed. The params of checks whose plugin is not are not judged.
        findings: Takes what was taken out.
    """
    work = _Repair(document, PluginSet.of(plugins), findings)
    for _ in range(_MOST_ROUNDS):
        if not work.round():
            return
    for items in (document.frontends, document.backends, document.healthchecks):  # each round takes something out
        items.clear()


def missing_plugins(document: Document, plugins: Installed) -> Iterator[str]:
    """Say which plugins have to be installed for the document."""
    draft = read_data(document.data(), PluginSet.of(plugins), {})
    yield from dict.fromkeys(fault.message for fault in draft.faults if _is_missing_plugin(fault))


def _is_missing_plugin(fault: Fault) -> bool:
    return len(fault.path) == 4 and fault.path[1] == "healthchecks" and fault.path[3] == "type"


@attrs.frozen
class _Repair:
    """Takes out what is not valid."""

    document: Document
    plugins: PluginSet
    findings: Findings

    def round(self) -> bool:
        """Take out what is found now, and tell whether it was anything: there may be more behind it."""
        faults = self._errors(self.document.data())
        for name in {str(fault.path[2]): None for fault in faults if _is_of_params(fault)}:
            self._params(name)
        for fault in faults:
            if not _is_of_params(fault):
                self._take_out(fault)
        self._prune()
        return bool(faults)

    def _errors(self, data: Mapping[str, Any]) -> list[Fault]:
        """Find all errors but missing plugins: to install one is the operator's part."""
        draft = read_data(data, self.plugins, {})
        found = [*draft.faults, *semantic_errors(draft)]
        return [fault for fault in found if fault.severity != "warning" and not _is_missing_plugin(fault)]

    def _params(self, name: str) -> None:
        """Take out the fewest params without which a check is valid: a key without its certificate is none either."""
        item = self.document.healthchecks[name]
        params: dict[str, Any] = item.data.get("params", {})
        found = self._errors_of(name, item.data)
        if not found:
            return
        out = self._to_take_out(name, item)
        left = item.data["params"] = {key: value for key, value in params.items() if key not in out}
        if not left:
            del item.data["params"]
        for key in out:
            item.comments.append(one_line({key: params[key]}))
            self.findings.left_out(item.place, f"{key} of health check {name}", found[0].message)

    def _to_take_out(self, name: str, item: Item) -> tuple[str, ...]:
        params: dict[str, Any] = item.data.get("params", {})
        for size in range(1, min(len(params), _MOST_AT_ONCE) + 1):
            for out in combinations(params, size):
                left = {key: value for key, value in params.items() if key not in out}
                if not self._errors_of(name, {**item.data, "params": left}):
                    return out
        return tuple(params)

    def _errors_of(self, name: str, data: Mapping[str, Any]) -> list[Fault]:
        return [one for one in self._errors({"maglev": {"healthchecks": {name: data}}}) if _is_of_params(one)]

    def _take_out(self, fault: Fault) -> None:
        """Take out the smallest thing at the path of an error that can be missed."""
        match fault.path:
            case ("maglev", "frontends", str(name), "pools", int(position), "backends", str(member), *_):
                self._member(name, position, member, fault)
            case ("maglev", "frontends", str(name), "pools", int(position), *_):
                self.document.frontends[name].data["pools"][position]["backends"] = {}
            case ("maglev", ("healthchecks" | "backends" | "frontends") as section, str(name), *rest):
                self._key(section, name, str(rest[0]) if rest else "", fault)
            case _:
                self.document.netns = ""

    def _member(self, name: str, position: int, member: str, fault: Fault) -> None:
        item = self.document.frontends[name]
        # Frontends of one service share their pools.
        item.data["pools"] = pools = [{**pool, "backends": dict(pool["backends"])} for pool in item.data["pools"]]
        if pools[position]["backends"].pop(member, None) is None:
            return
        backend = self.document.backends.get(member)
        place = backend.place if backend else item.place
        self.findings.left_out(place, f"backend {member} of frontend {name}", fault.message)

    def _key(self, section: str, name: str, key: str, fault: Fault) -> None:
        items = self.document.section(section)
        if (item := items.get(name)) is None:
            return
        what = f"{section[:-1]} {name}"
        if key in _CAN_BE_MISSED and item.data.pop(key, None) is not None:
            self.findings.left_out(item.place, f"{key} of {what}", fault.message)
            return
        del items[name]
        self.findings.left_out(item.place, what, fault.message)

    def _prune(self) -> None:
        """Drop what refers to things that are gone, and what has become empty by that."""
        document = self.document
        for item in document.backends.values():
            if item.data.get("healthcheck", "") not in ("", *document.healthchecks):
                del item.data["healthcheck"]
        for items in (document.frontends, document.pending):
            for name, item in list(items.items()):
                pools = [_with_members(pool, document.backends) for pool in item.data["pools"]]
                if pools != item.data["pools"]:
                    item.data["pools"] = [pool for pool in pools if pool["backends"]]
                if not item.data["pools"]:
                    del items[name]
                    self.findings.left_out(item.place, f"frontend {name}", "it has no servers")


def _is_of_params(fault: Fault) -> bool:
    return fault.path[1:2] == ("healthchecks",) and fault.path[3:4] == ("params",)


def _with_members(pool: Mapping[str, Any], backends: Mapping[str, Item]) -> dict[str, Any]:
    return {**pool, "backends": {name: member for name, member in pool["backends"].items() if name in backends}}
