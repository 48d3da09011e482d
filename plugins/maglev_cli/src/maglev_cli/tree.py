"""The commands of `maglevc`: the one tree that parser, shell, help, completion and reference page are read off."""

from __future__ import annotations

from maglev_cli import checks
from maglev_cli.grammar import Argument, Node, Word, argument, word

BACKEND = Argument("backend", "a backend's name", source="backend")
FRONTEND = Argument("frontend", "a frontend's name", source="frontend")
HEALTHCHECK = Argument("healthcheck", "a health check's name", source="healthcheck")
POOL = Argument("pool", "a pool of that frontend", source="pool")
MEMBER = Argument("backend", "a backend of that pool", source="member")
WEIGHT = Argument("weight", "weight, 0 (no new flows) to 100", shown="0-100", check=checks.weight)
SOURCE = Argument("source", "the client's address", shown="source-address", check=checks.address)
PORT = Argument("source-port", "the client's port, 0 if not given", check=checks.port)
DESTINATION = Argument("destination-port", "the port it connects to", shown="port", check=checks.port)
COUNT = Argument("num", "how many events", shown="n", check=checks.count)

LEVELS = ("debug", "info", "warning", "error", "critical")

_DRY = word("dry-run", "only tell what would happen: weights, buckets, moved flows, operations", ends=True)


def _show() -> Node:
    return word(
        "show",
        "what there is, and how it is",
        word("version", "versions of maglevd and maglevc, and how maglevd is doing", action="show-version"),
        word("frontends", "all frontends", action="show-frontends"),
        word("frontend", "one frontend, its pools and backends", argument(FRONTEND, action="show-frontend")),
        word("backends", "all backends", action="show-backends"),
        word("backend", "one backend and its history", argument(BACKEND, action="show-backend")),
        word("healthchecks", "all health checks", action="show-healthchecks"),
        word("healthcheck", "one health check", argument(HEALTHCHECK, action="show-healthcheck")),
        word(
            "vpp",
            "the dataplane",
            word("info", "the connection to the dataplane", action="show-dataplane"),
            word("lb", "load balancing", *_lb()),
        ),
        word(
            "dataplane",
            "the dataplane, whichever it is",
            word("info", "the connection to the dataplane", action="show-dataplane"),
            *_lb(),
        ),
        _flow(),
    )


def _lb() -> tuple[Node, ...]:
    return (
        word(
            "state",
            "VIPs and servers that the dataplane holds, read afresh",
            argument(FRONTEND, action="show-state"),
            action="show-state",
        ),
        word("counters", "packets and bytes of each VIP", action="show-counters"),
    )


def _flow() -> Node:
    flags = (
        word("destination-port", "for VIPs of all ports: the port it connects to", argument(DESTINATION, ends=True)),
        word(
            "protocol",
            "for VIPs of all ports: what it speaks, tcp if not given",
            word("tcp", "TCP", ends=True),
            word("udp", "UDP", ends=True),
        ),
    )
    port = argument(PORT, action="show-flow", flags=flags)
    source = argument(SOURCE, port, action="show-flow", flags=flags)
    return word(
        "flow",
        "which server a new flow gets, and which it would get if that one went down",
        argument(FRONTEND, source),
    )


def _set() -> Node:
    backend = argument(
        BACKEND,
        word("pause", "no more probes, no new flows", action="pause", flags=(_DRY,)),
        word("resume", "probe again, from unknown", action="resume", flags=(_DRY,)),
        word("enable", "use it again, from unknown", action="enable", flags=(_DRY,)),
        word("disable", "no probes, no flows; established flows are flushed", action="disable", flags=(_DRY,)),
        word("reset", "forget such a command: the file decides again", action="reset", flags=(_DRY,)),
    )
    weight = word(
        "weight",
        "give it another weight, until that is reset or changed in the file",
        argument(WEIGHT, action="weight", flags=(_DRY,)),
        word("reset", "forget such a command: the file decides again", action="weight-reset", flags=(_DRY,)),
    )
    member = word("backend", "one backend of the pool", argument(MEMBER, weight))
    pool = word("pool", "one pool of the frontend", argument(POOL, member))
    return word(
        "set",
        "change a backend's admin state or weight",
        word("backend", "a backend's admin state", backend),
        word("frontend", "a weight in a frontend", argument(FRONTEND, pool)),
    )


def _sync() -> Node:
    flags = (
        word("recreate", "also what only making VIPs anew puts right: established flows are lost", ends=True),
        word("prune", "also remove VIPs that were never configured", ends=True),
        _DRY,
    )
    one = argument(FRONTEND, action="sync", flags=flags)
    state = word("state", "all VIPs, or those on one frontend's address", one, action="sync", flags=flags)
    return word(
        "sync",
        "make the dataplane what it should be",
        word("vpp", "the dataplane", word("lb", "load balancing", state)),
        word("dataplane", "the dataplane, whichever it is", state),
    )


def _config() -> Node:
    force = word("force", "also if that removes more than half of the VIPs", ends=True)
    return word(
        "config",
        "the configuration file of maglevd",
        word("check", "check the file as it stands on disk", action="config-check"),
        word("reload", "read the file again, if it is valid", action="config-reload", flags=(force, _DRY)),
    )


def _watch() -> Node:
    levels = (word(level, f"records of level {level} and above", ends=True) for level in LEVELS)
    flags = (
        word("num", "stop after so many events", argument(COUNT, ends=True)),
        word("log", "log records", word("level", "the least level, info if not given", *levels), ends=True),
        word("backend", "backends' changes of state", ends=True),
        word("frontend", "frontends' changes of state, pool and weight", ends=True),
        word("dataplane", "the connection to the dataplane, and what is written to it", ends=True),
        word("probe", "every probe's start and end, and stalls of maglevd", ends=True),
    )
    return word(
        "watch",
        "follow what happens",
        word(
            "events",
            "the present state, then every change, one JSON object a line; all but logs and probes, or the kinds named",
            action="watch",
            flags=flags,
        ),
    )


ROOT = Node(
    Word("", ""),
    (
        _show(),
        _set(),
        _sync(),
        _config(),
        _watch(),
        word("help", "all commands", action="help"),
        word("quit", "leave the shell", action="quit"),
        word("exit", "leave the shell", action="quit"),
    ),
)
