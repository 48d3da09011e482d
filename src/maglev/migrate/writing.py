"""Writes a configuration as YAML with comments: the findings first, and behind each item its place in the source."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import yaml

from maglev.config.document import read_document
from maglev.migrate.document import SECTIONS, Document, Item
from maglev.migrate.findings import Findings
from maglev.terminal_text import escaped

_WIDTH = 110
_FLOW = 100
"""How long a mapping on one line may be, in characters."""
_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9/._-]*", re.ASCII)
_MOST_EXPANDED = 50_000
"""How many values aliases may stand for; the loader has a bound too."""

_DATAPLANE = """
Without a section for a dataplane, maglevd keeps the VIPs in memory: it probes, decides and shows, and sends nothing.
For VPP, name the outer source addresses of its tunnels here:
"""


def write(document: Document, findings: Findings, *, origin: str, command: str) -> str:
    """Write a configuration.

    Args:
        document: What to write; valid.
        findings: What to list at the top.
        origin: The file that it was made of.
        command: What was typed.
    """
    file = _only_file(document, findings)
    lines = [*_comment(f"Made of {origin} by `{command}`.", ""), *_listed(findings, file), "maglev:", *_dataplane()]
    if document.netns:
        lines += ["", "  healthchecker:", f"    netns: {scalar(document.netns)}"]
    for name in SECTIONS:
        lines += _section(name, document.section(name), file)
    lines += _pending(document, file)
    return "\n".join(lines) + "\n"


def one_line(value: Any) -> str:
    """Write a value on one line, without the braces of a mapping around it."""
    text = _flow(value)
    return text[1:-1] if isinstance(value, Mapping) else text


def scalar(value: Any) -> str:
    """Write a string, number, or truth value."""
    if not isinstance(value, str):
        return str(value).lower()
    if _is_plain(value):
        return value
    text = yaml.dump(value, Dumper=yaml.SafeDumper, default_style='"', width=10**9, allow_unicode=value.isprintable())
    return str(text).strip()


def _only_file(document: Document, findings: Findings) -> str:
    """Return the file that everything stands in; empty if there are several."""
    items = (item for name in (*SECTIONS, "pending") for item in document.section(name).values())
    files = {item.place.file for item in items} | {place.file for finding in findings for place in finding.places}
    return files.pop() if len(files) == 1 else ""


_WORD = re.compile(
    r"(?!(?:true|false|null|yes|no|on|off|y|n|nan|inf)$)[A-Za-z/][A-Za-z0-9/._-]*", re.ASCII | re.IGNORECASE
)


@lru_cache(maxsize=10_000)
def _is_plain(text: str) -> bool:
    """Tell whether text needs no quotes: neither YAML 1.1 nor our own reader take it for anything else."""
    if _WORD.fullmatch(text):
        return True
    return bool(_PLAIN.fullmatch(text)) and yaml.safe_load(text) == text == read_document(text).data


def _listed(findings: Findings, file: str) -> Iterator[str]:
    found = list(findings)
    titles = {
        "left out": "Left out: maglevd cannot do this. Decide what is to take its place.",
        "changed": "Changed: maglevd does something close. Read what differs.",
        "not needed": "Not needed.",
    }
    for kind, title in titles.items():
        mine = [finding for finding in found if finding.kind == kind]
        if mine:
            yield "#"
            yield from _comment(title, "")
        for finding in mine:
            yield from _comment(f"- {finding.in_list(file)}", "", hanging="  ")
    if not found:
        yield from _comment("Everything was carried over.", "")
    yield ""


def _comment(text: str, indent: str, *, hanging: str = "") -> list[str]:
    return textwrap.wrap(
        escaped(text),
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# {hanging}",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _dataplane() -> Iterator[str]:
    for line in _DATAPLANE.strip().splitlines():
        yield from _comment(line, "  ")
    yield "  # vpp:"
    yield "  #   lb: {ipv4-src-address: 192.0.2.1, ipv6-src-address: 2001:db8::1}"


def _section(name: str, items: Mapping[str, Item], file: str) -> Iterator[str]:
    if not items:
        return
    yield ""
    yield f"  {name}:"
    anchors: dict[int, str] = {}
    shared = _shared(items.values()) if name == "frontends" else set()
    for key, item in items.items():
        yield from _item(key, item, file, shared, anchors)


def _shared(items: Iterable[Item]) -> set[int]:
    """Return the identities of the lists of pools that more than one frontend has, and that aliases may stand for."""
    sizes: dict[int, list[int]] = {}
    for item in items:
        pools = item.data["pools"]
        sizes.setdefault(id(pools), []).append(sum(4 + 4 * len(pool["backends"]) for pool in pools))
    shared: set[int] = set()
    left = _MOST_EXPANDED
    for which, mine in sizes.items():
        if len(mine) > 1 and sum(mine) <= left:
            left -= sum(mine)
            shared.add(which)
    return shared


def _item(name: str, item: Item, file: str, shared: set[int], anchors: dict[int, str]) -> Iterator[str]:
    where = f"  # {item.place.within(file)}"
    flow = _flow(item.data)
    if "pools" not in item.data and not item.comments and len(flow) <= _FLOW:
        yield f"    {scalar(name)}: {flow}{where}"
        return
    yield f"    {scalar(name)}:{where}"
    for key, value in item.data.items():
        if key == "pools":
            yield from _pools(value, shared, anchors)
        elif isinstance(value, Mapping) and len(_flow(value)) > _FLOW:
            yield f"      {key}:"
            yield from (f"        {scalar(one)}: {_flow(inner)}" for one, inner in value.items())
        else:
            yield f"      {key}: {_flow(value)}"
    yield from (f"      # {escaped(comment)}" for comment in item.comments)


def _pools(pools: Sequence[Mapping[str, Any]], shared: set[int], anchors: dict[int, str]) -> Iterator[str]:
    if id(pools) in anchors:
        yield f"      pools: *{anchors[id(pools)]}"
        return
    if id(pools) in shared:
        anchors[id(pools)] = f"pools-{len(anchors) + 1}"
        yield f"      pools: &{anchors[id(pools)]}"
    else:
        yield "      pools:"
    for pool in pools:
        yield f"        - name: {scalar(pool['name'])}"
        if "min-up" in pool:
            yield f"          min-up: {pool['min-up']}"
        yield "          backends:"
        yield from (f"            {scalar(name)}: {_flow(member)}" for name, member in pool["backends"].items())


def _pending(document: Document, file: str) -> Iterator[str]:
    """Give the frontends without an address as comments."""
    if not document.pending:
        return
    yield ""
    yield from _comment("Each of these needs an address, and belongs below `frontends:`:", "  ")
    for name, item in document.pending.items():
        whole = Item({"address": "", **item.data}, item.place)
        for line in _item(name, whole, file, set(), {}):
            text = line.replace('address: ""', "address:  # to be filled in")
            yield f"  # {text[2:]}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return scalar(value)
