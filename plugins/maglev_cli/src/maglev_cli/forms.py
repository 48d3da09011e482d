"""Every form of every command of `maglevc`: the one list that parser, shell, help, completion and reference page use.

Commands that change something are declared in `maglev.api.COMMANDS`, and appear here by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address

from maglev.api import COMMAND_WORDS, COMMANDS, ArgumentInfo, Command, CommandInfo
from maglev_cli.grammar import Argument, Form, Parsed, Part, Place, Word, choice, flag

_OLD_LINES: Mapping[str, tuple[str, ...]] = {"SyncDataplane": ("sync vpp lbstate [<frontend>]",)}
"""How vpp-maglev wrote commands before it changed them, by the command's name; scripts have them."""


def _whole(least: int, most: int) -> Callable[[str], None]:
    """Make a check for whole numbers."""
    wanted = f"a whole number from {least}" + (f" to {most}" if most < 10**9 else "")

    def check(text: str) -> None:
        if not (text.isascii() and text.isdecimal()) or len(text) > 10 or not least <= int(text) <= most:
            raise ValueError(f"expected {wanted}")

    return check


def _address(text: str) -> None:
    try:
        ip_address(text)
    except ValueError:
        raise ValueError("expected an IPv4 or IPv6 address") from None


_PORT, _WEIGHT, _COUNT = _whole(0, 65535), _whole(0, 100), _whole(1, 10**9)
LEVELS = ("debug", "info", "warning", "error", "critical")
DRY_RUN = flag("dry-run", "only show the effect: states, weights, buckets, moved flows, operations")

WORDS: Mapping[str, str] = {
    **COMMAND_WORDS,
    "show": "show objects and their state",
    "show vpp": "the dataplane",
    "show vpp lb": "load balancing",
    "show dataplane": "the dataplane, of any kind",
    "watch": "print events as they happen",
}
"""Help for words that begin more than one command; any other word has the help of its command."""

_ARGUMENTS: Mapping[str, Argument] = {
    argument.label: argument
    for argument in (
        Argument("backend", "a backend's name", source="backend"),
        Argument("frontend", "a frontend's name", source="frontend"),
        Argument("healthcheck", "a health check's name", source="healthcheck"),
        Argument("source", "the client's address", shown="source-address", check=_address),
        Argument("source-port", "the client's port; default: 0", check=_PORT),
    )
}

_FLOW_FLAGS = (
    flag(
        "destination-port",
        "the port that the client connects to; required if the VIP has all ports",
        (Argument("destination-port", "the port that the client connects to", shown="port", check=_PORT),),
    ),
    flag(
        "protocol",
        "the protocol, if the VIP has all ports; default: tcp",
        choice("protocol", {"tcp": "TCP", "udp": "UDP"}),
    ),
)

_WATCH_FLAGS = (
    flag("num", "stop after n events", (Argument("num", "number of events", shown="n", check=_COUNT),)),
    flag(
        "log",
        "log records",
        (Word("level", "the lowest level; default: info"),),
        choice("level", {level: f"records of level {level} and above" for level in LEVELS}),
        optional=True,
    ),
    flag("backend", "changes of a backend's state"),
    flag("frontend", "changes of a frontend's state, active pool and weights"),
    flag("dataplane", "changes of the connection to the dataplane, and writes to it"),
    flag("probe", "start and end of every probe, and stalls of maglevd"),
)


def _form(
    line: str,
    help: str,  # noqa: A002  (what it is)
    action: str,
    flags: tuple[Part, ...] = (),
    arguments: Mapping[str, Place] | None = None,
    *,
    is_shown: bool = True,
) -> Form:
    """Make a form of a line such as `show flow <frontend> <source-address> [<source-port>]`."""
    known = arguments or {label: (argument,) for label, argument in _ARGUMENTS.items()}
    tokens = line.split()
    places: list[Place] = []
    for count, token in enumerate(tokens, 1):
        is_word = token[0] not in "<["
        places.append(
            (Word(token, WORDS.get(" ".join(tokens[:count]), help)),) if is_word else known[token.strip("[]")]
        )
    return Form(Part(tuple(places), len(places) - tokens[-1].startswith("[")), help, action, flags, is_shown)


def _forms_of(info: CommandInfo) -> Iterator[Form]:
    """The forms of a command that changes something."""
    arguments = {f"<{_written(argument)}>": _place(argument, info) for argument in info.arguments}
    old = _OLD_LINES.get(info.name, ())
    for line in (*info.lines, *old):
        flags = (_flag(argument, info) for argument in info.arguments if f"<{_written(argument)}>" not in line)
        yield _form(line, info.help, info.name, (*flags, DRY_RUN), arguments, is_shown=line not in old)


def _place(argument: ArgumentInfo, info: CommandInfo) -> Place:
    name = _written(argument)
    if argument.kind == "choice":
        return choice(name, dict.fromkeys(argument.choices, argument.help))
    if argument.kind == "weight":
        return (Argument(name, argument.help, shown="0-100", check=_WEIGHT),)
    in_pool = argument.kind == "backend" and any(other.kind == "pool" for other in info.arguments)
    return (Argument(name, argument.help, source="member" if in_pool else argument.kind),)


def _flag(argument: ArgumentInfo, info: CommandInfo) -> Part:
    places = () if argument.kind == "flag" else (_place(argument, info),)
    return flag(_written(argument), argument.help, *places)


def _written(argument: ArgumentInfo) -> str:
    return argument.name.replace("_", "-")


FORMS: tuple[Form, ...] = (
    _form("show version", "versions of maglevd and maglevc, and the condition of maglevd", "show:version"),
    _form("show frontends", "all frontends", "show:frontends"),
    _form("show frontend <frontend>", "one frontend, its pools and backends", "show:frontend"),
    _form("show backends", "all backends", "show:backends"),
    _form("show backend <backend>", "one backend and its history", "show:backend"),
    _form("show healthchecks", "all health checks", "show:healthchecks"),
    _form("show healthcheck <healthcheck>", "one health check", "show:healthcheck"),
    _form("show vpp info", "the connection to the dataplane", "dataplane:info"),
    _form("show vpp lb state [<frontend>]", "VIPs and servers, read from the dataplane now", "dataplane:state"),
    _form("show vpp lb counters", "packets and bytes of each VIP", "dataplane:counters"),
    _form("show vpp lbstate [<frontend>]", "as `show vpp lb state`", "dataplane:state", is_shown=False),
    _form("show dataplane info", "the connection to the dataplane", "dataplane:info"),
    _form("show dataplane state [<frontend>]", "VIPs and servers, read from the dataplane now", "dataplane:state"),
    _form("show dataplane counters", "packets and bytes of each VIP", "dataplane:counters"),
    _form(
        "show flow <frontend> <source-address> [<source-port>]",
        "the server of a new flow, and the one it would get if that server went down",
        "show:flow",
        _FLOW_FLAGS,
    ),
    *(form for info in COMMANDS for form in _forms_of(info)),
    _form("config check", "check the configuration file on disk", "change:check"),
    _form(
        "watch events",
        "print the present state, then every change, as lines of JSON; all kinds but logs and probes, or those named",
        "watch",
        _WATCH_FLAGS,
    ),
    _form("help", "list all commands", "help"),
    _form("quit", "leave the shell", "quit"),
    _form("exit", "leave the shell", "quit"),
)

SHOWN = tuple(form for form in FORMS if form.is_shown)
"""Those that help, completion and documentation show; the others are older spellings."""


def command_of(line: Parsed) -> Command:
    """The command that changes something, of a line that asks for one."""
    info = next(info for info in COMMANDS if info.name == line.action)
    values: dict[str, object] = {}
    for argument in info.arguments:
        text = line.values.get(_written(argument))
        if argument.kind == "flag":
            values[argument.name] = text is not None
        elif text is not None:
            values[argument.name] = int(text) if argument.kind == "weight" else text
    command: Command = info.command(**values)
    return command
