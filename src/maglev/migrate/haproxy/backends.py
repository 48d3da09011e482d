"""Reads a proxy with servers: what holds for all of them, and each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property

import attrs

from maglev.migrate.bounds import MAX_DEPTH, MAX_SERVERS, LookUp
from maglev.migrate.findings import Findings
from maglev.migrate.haproxy.checks import Method, method_of, method_of_section
from maglev.migrate.haproxy.durations import duration_of
from maglev.migrate.haproxy.options import read_options
from maglev.migrate.haproxy.sections import Directive, Section
from maglev.migrate.haproxy.servers import Checked, ServerLine, ServerReader, Settings
from maglev.migrate.model import Server

_SPREAD = "new flows are spread by Maglev's hash and the weights"
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


class Backend:
    """A `backend` or `listen` section.

    Args:
        section: Its own lines, with those of its defaults.
        top: The directives of `global`.
        healthchecks: Sections `healthcheck` by name.
        findings: Takes what could not be carried over.
    """

    def __init__(
        self,
        section: Section,
        top: Sequence[Directive],
        healthchecks: Mapping[str, Section],
        findings: Findings,
    ) -> None:
        self.section = section
        self._top = top
        self._healthchecks = healthchecks
        self._findings = findings

    # --- what holds for all servers -------------------------------------------------------------------------------

    @cached_property
    def lines(self) -> Mapping[str, ServerLine]:
        """Each server by its name, with templates resolved."""
        found: dict[str, ServerLine] = {}
        defaults: dict[str, str] = {}
        for one in self.section.all:
            if one.keyword == "default-server":
                read_options(one.words[1:], defaults)
            elif one.keyword in ("server", "server-template"):
                for line in self._lines_of(one, defaults, found):
                    if len(found) < MAX_SERVERS:
                        found[line.name] = line
        return found

    @property
    def has_servers(self) -> bool:
        """Whether it names any."""
        return bool(self.lines)

    @property
    def all_backups(self) -> bool:
        """Whether all backup servers serve at once."""
        switched = [one.keyword for one in self.section.all if "allbackups" in one.words[1:3]]
        return switched[-1:] == ["option"]

    def sticky(self) -> bool:
        """Tell whether a client keeps its server: `balance source`; report what is lost of other ways."""
        balance = next((one for one in reversed([*self.section.all]) if one.keyword == "balance"), None)
        if balance is None:
            return False
        if balance.word(1) == "source":
            return True
        self._findings.changed(balance.place, f"balance {balance.word(1)}", _SPREAD)
        return False

    def flushes(self) -> bool:
        """Tell whether flows are to leave a server that goes down: HAProxy keeps them, unless all servers say so."""
        actions = [line.options.get("on-marked-down") for line in self.lines.values()]
        return bool(actions) and all(action == "shutdown-sessions" for action in actions)

    @cached_property
    def _method(self) -> Method:
        return method_of(self.section.inherited, self.section.own, self.section.place, self._findings)

    @cached_property
    def _settings(self) -> Settings:
        every = [*self.section.all]
        return Settings(
            proxy=self.section.name,
            method=self._method,
            connect_timeout=_timeout(every, "connect"),
            check_timeout=_timeout(every, "check"),
            source=_last(every, "source"),
            verify=_last(self._top, "ssl-server-verify") != "none",
            ca_base=_last(self._top, "ca-base"),
            crt_base=_last(self._top, "crt-base"),
        )

    # --- each server ----------------------------------------------------------------------------------------------

    def servers(self, others: Mapping[str, Backend], look_up: LookUp, vip_port: int) -> Iterator[tuple[Server, bool]]:
        """Give each server, and whether it is a backup.

        Args:
            others: All proxies with servers: a server may track one of another.
            look_up: Gives addresses of names.
            vip_port: The port of the first VIP that they serve; 0 if there is none.
        """
        reader = ServerReader(attrs.evolve(self._settings, vip_port=vip_port), self._findings)
        for line in self.lines.values():
            server = reader.server(line, look_up, self._checked(line, others, vip_port))
            if server:
                yield server, "backup" in line.options

    def _checked(self, line: ServerLine, others: Mapping[str, Backend], vip_port: int) -> Checked | None:
        """Find whose check a server has; `None` if it is not checked."""
        proxy, whose = self, line
        for _ in range(MAX_DEPTH):
            if (wanted := whose.options.get("track")) is None:
                break
            name, _, server = wanted.rpartition("/")
            other = others.get(name) if name else proxy
            if other is None or server not in other.lines:
                self._findings.left_out(whose.place, f"server track {wanted}", "there is no such server")
                return None
            proxy, whose = other, other.lines[server]
        if "check" not in whose.options:
            return None
        if whose is not line:
            message = "it gets the same check, of its own address"
            self._findings.changed(line.place, f"server track {line.options['track']}", message)
        settings = attrs.evolve(proxy._settings, method=proxy._method_of(whose), vip_port=vip_port)  # noqa: SLF001 - same class
        return Checked(ServerReader(settings, self._findings), whose)

    def _method_of(self, line: ServerLine) -> Method:
        wanted = line.options.get("healthcheck")
        if wanted is None:
            return self._method
        found = self._healthchecks.get(wanted)
        if found is None:
            self._findings.left_out(line.place, f"server healthcheck {wanted}", "there is no such section")
            return self._method
        return method_of_section(found.own, found.place, self._findings)

    def _lines_of(
        self, one: Directive, defaults: Mapping[str, str], before: Mapping[str, ServerLine]
    ) -> Iterator[ServerLine]:
        words = list(one.words[1:])
        numbers: Sequence[int | str] = [""]
        if one.keyword == "server-template":
            numbers = _numbers(words.pop(1)) if len(words) > 1 else []
        if len(words) < 2 or not numbers:
            self._findings.left_out(one.place, one.keyword, "a name and an address are needed")
            return
        name, address, *rest = words
        if rest[:1] == ["from"] and len(rest) > 1 and rest[1] in before:
            defaults = before[rest[1]].options
        options = dict(defaults)
        read_options(rest, options)
        for number in numbers:
            yield ServerLine(f"{name}{number}", address, options, one.place)


def _numbers(text: str) -> range:
    found = _RANGE.fullmatch(text)
    if not found:
        return range(0)
    first, last = (int(found[1]), int(found[2])) if found[2] else (1, int(found[1]))
    return range(first, min(last, first + MAX_SERVERS) + 1)


def _last(directives: Sequence[Directive], keyword: str) -> str:
    return next((one.word(1) for one in reversed(directives) if one.keyword == keyword), "")


def _timeout(directives: Sequence[Directive], name: str) -> timedelta | None:
    said = next((one for one in reversed(directives) if one.words[:2] == ("timeout", name)), None)
    return duration_of(said.word(2)) if said else None
