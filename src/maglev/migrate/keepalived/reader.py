"""Reads keepalived.conf: virtual servers as services, real servers and sorry servers as their pools."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal

import attrs

from maglev.migrate.bounds import MAX_SERVERS, Include, no_include
from maglev.migrate.findings import Findings
from maglev.migrate.keepalived.checks import CHECKS, Surroundings, probe_of
from maglev.migrate.keepalived.lines import Lines
from maglev.migrate.keepalived.reasons import FLAGS, REAL_SERVER, SCHEDULERS, SSL, TOP, UNWEIGHTED, VIRTUAL_SERVER
from maglev.migrate.keepalived.statements import Statement, statements
from maglev.migrate.keepalived.timing import TIMING
from maglev.migrate.keepalived.vips import vips_of
from maglev.migrate.model import Pool, Server, Service, Source
from maglev.migrate.reporting import report
from maglev.migrate.values import host_address, port_number, whole_number

_SETTINGS = {"delay_loop", "connect_timeout", "retry", "delay_before_retry", "virtualhost", "snmp_name", "ip_family"}
_READ_OF_VIRTUAL = _SETTINGS | {
    "real_server", "sorry_server", "quorum", "weight", "protocol", "inhibit_on_failure", "lb_algo", "lvs_sched",
    "lb_kind", "lvs_method", "persistence_timeout", *FLAGS,
}  # fmt: skip
_READ_OF_REAL = _SETTINGS | CHECKS | {"weight", "inhibit_on_failure", "lvs_method"}
_ON = {"", "on", "yes", "true"}
_HIGHEST_WEIGHT = 65_535


def read_keepalived(
    files: Sequence[tuple[str, str]],
    *,
    config_id: str = "",
    environment: Mapping[str, str] | None = None,
    include: Include = no_include,
) -> Source:
    """Read a configuration.

    Args:
        files: Name and text of each file, in the order in which they are read.
        config_id: What keepalived's option `-i` says.
        environment: What `${_ENV …}` stands for.
        include: Gives what `include` names.
    """
    source = Source()
    lines = Lines(source.findings, config_id, environment or {}, include)
    top = statements(chain.from_iterable(lines.of_text(text, file) for file, text in files), source.findings)
    groups = {one.argument: one for one in top if one.keyword == "virtual_server_group"}
    ssl = next((one for one in reversed(top) if one.keyword == "SSL"), None)
    reader = _Reader(source, groups, ssl)
    for one in top:
        match one.keyword:
            case "virtual_server":
                reader.service(one)
            case "net_namespace":
                source.netns = one.argument
            case "virtual_server_group":
                pass
            case "SSL":
                for setting in one.all("ca", "password"):
                    report(setting.keyword, setting.place, SSL, source.findings, f"SSL {setting.keyword}")
            case keyword:
                report(keyword, one.place, TOP, source.findings)
    return source


@attrs.define
class _Reader:
    """Reads virtual servers into a source."""

    source: Source
    groups: Mapping[str, Statement]
    ssl: Statement | None
    _servers: int = attrs.field(default=0, init=False)

    @property
    def _findings(self) -> Findings:
        return self.source.findings

    def service(self, said: Statement) -> None:
        """Read one `virtual_server`."""
        protocol = self._protocol(said)
        if protocol is None:
            return
        vips = vips_of(said, self.groups, protocol, self._findings)
        port = next((vip.port for vip in vips), 0)
        kind = vips[0].protocol if vips else protocol
        real = list(said.all("real_server"))
        servers = [server for one in real if (server := self._server(one, said, port, kind))]
        scheduler = self._scheduler(said)
        self._report(said)
        name = name_said.argument if (name_said := said.last("snmp_name")) else ""
        if said.argument == "group" and not name:
            name = " ".join(said.words[2:3])
        if not servers:
            self._findings.left_out(
                said.place, " ".join(said.words), "it has no real_server that could be carried over"
            )
            return
        for vip in vips:
            self._tell_ports(said, vip.port, servers)
        service = Service(
            name=name,
            vips=vips,
            pools=(*_pools(servers, scheduler, self._quorum(said, servers)), *self._sorry(said, port)),
            place=said.place,
            sticky=self._sticky(said, scheduler),
            flush_on_down=not all(
                _is_on(one, "inhibit_on_failure") or _is_on(said, "inhibit_on_failure") for one in real
            ),
        )
        if vips:
            self.source.services.append(service)
        else:
            self.source.spare.extend(servers)

    def _protocol(self, said: Statement) -> Literal["tcp", "udp"] | None:
        protocol = said.last("protocol")
        match protocol.argument.lower() if protocol else "tcp":
            case "tcp":
                return "tcp"
            case "udp":
                return "udp"
            case _:
                pass
        message = "maglevd has VIPs for TCP and UDP, or without a port for all protocols"
        self._findings.left_out((protocol or said).place, " ".join(said.words), message)
        return None

    def _server(
        self, said: Statement, service: Statement, vip_port: int, protocol: Literal["tcp", "udp", "any"]
    ) -> Server | None:
        address = host_address(said.argument)
        port_said = said.words[2] if len(said.words) > 2 else "0"
        port = 0 if port_said == "0" else port_number(port_said)
        self._servers += 1
        if address is None or port is None or self._servers > MAX_SERVERS:
            why = "this is no address and port of a server" if self._servers <= MAX_SERVERS else "there are too many"
            self._findings.left_out(said.place, " ".join(said.words), why)
            return None
        around = Surroundings((said, service), address, port or vip_port, protocol, self.ssl)
        for one in said.block:
            if one.keyword not in _READ_OF_REAL and one.keyword not in TIMING:
                report(one.keyword, one.place, REAL_SERVER, self._findings)
        named = said.last("snmp_name")
        return Server(
            name=named.argument if named else str(address),
            scope=str(port or vip_port),
            address=address,
            place=said.place,
            port=port,
            weight=self._weight(said, service),
            probe=probe_of(around, self._findings),
        )

    def _weight(self, said: Statement, service: Statement) -> int:
        weight = said.last("weight") or service.last("weight")
        if weight is None:
            return 1
        number = whole_number(weight.argument, 0, _HIGHEST_WEIGHT)
        if number is None:
            self._findings.left_out(weight.place, "weight", "this is no weight; 1 is taken")
        return 1 if number is None else number

    def _sorry(self, said: Statement, vip_port: int) -> Iterator[Pool]:
        """Give a pool of the sorry server, which nobody checks."""
        sorry = said.last("sorry_server")
        if sorry is None:
            return
        address = host_address(sorry.argument)
        if address is None:
            self._findings.left_out(sorry.place, " ".join(sorry.words), "this is no address of a server")
            return
        port = port_number(" ".join(sorry.words[2:3])) or 0
        server = Server(str(address), "sorry", address, sorry.place, port)
        self._tell_ports(said, vip_port, [server])
        yield Pool("sorry", (server,))

    def _scheduler(self, said: Statement) -> str:
        algorithm = said.last("lb_algo", "lvs_sched")
        name = algorithm.argument if algorithm else "wlc"
        if algorithm and (reason := SCHEDULERS.get(name)):
            self._findings.changed(algorithm.place, f"{algorithm.keyword} {name}", reason)
        return name

    def _sticky(self, said: Statement, scheduler: str) -> bool:
        """Tell whether a client keeps its server: by persistence, or by a hash that leaves the port out."""
        if persistence := said.last("persistence_timeout"):
            message = "a client keeps its server, for as long as that serves: there is no timeout"
            self._findings.changed(persistence.place, "persistence_timeout", message)
            return True
        flags = {flag for one in said.block if one.keyword in FLAGS for flag in one.words}
        return scheduler in ("sh", "mh") and not flags & {f"{scheduler}-port", "flag-2"}

    def _quorum(self, said: Statement, servers: Sequence[Server]) -> int:
        """Return how many servers a quorum of weights takes; it matters only where there is a sorry server."""
        quorum = said.last("quorum")
        number = whole_number(quorum.argument, 0, 1_000_000) if quorum else 1
        if quorum is None or number is None or number <= 1:
            return 1
        if said.last("sorry_server") is None:
            self._findings.left_out(quorum.place, "quorum", "without a sorry_server it only starts programs")
            return 1
        weights = [server.weight for server in servers if server.weight]
        least = math.ceil(number * len(weights) / sum(weights)) if weights else 1
        if len(set(weights)) > 1:
            message = (
                f"min-up counts servers and not weights: {least}, which is the quorum in servers of average weight"
            )
            self._findings.changed(quorum.place, "quorum", message)
        return max(1, least)

    def _tell_ports(self, said: Statement, vip_port: int, servers: Sequence[Server]) -> None:
        for server in servers:
            if server.port and server.port != vip_port:
                wanted = f"port {vip_port}" if vip_port else "ports"
                message = f"ports are not translated: the server has to listen on the VIP's {wanted}"
                self._findings.changed(server.place, f"port {server.port}", message)

    def _report(self, said: Statement) -> None:
        for one in said.block:
            if one.keyword in ("lb_kind", "lvs_method"):
                message = "packets go to servers in GRE, with the VIP's address: each needs a tunnel, and the VIP on it"
                self._findings.changed(one.place, f"{one.keyword} {one.argument}", message)
            elif one.keyword not in _READ_OF_VIRTUAL and one.keyword not in TIMING:
                report(one.keyword, one.place, VIRTUAL_SERVER, self._findings)
        for one in (said, *said.all("real_server")):
            for warmup in one.all("warmup", "alpha"):
                report(warmup.keyword, warmup.place, VIRTUAL_SERVER, self._findings)


def _is_on(said: Statement, keyword: str) -> bool:
    found = said.last(keyword)
    return found is not None and found.argument.lower() in _ON


def _pools(servers: Sequence[Server], scheduler: str, min_up: int) -> Iterator[Pool]:
    """Give the pools of the real servers: one, or with the scheduler `fo` one for each, the heaviest first."""
    if scheduler in UNWEIGHTED:
        servers = [attrs.evolve(server, weight=min(server.weight, 1)) for server in servers]
    if scheduler not in ("fo", "ovf"):
        yield Pool("primary", tuple(servers), min_up)
        return
    in_order = sorted((server for server in servers if server.weight), key=lambda server: -server.weight)
    for position, server in enumerate(in_order, 1):
        yield Pool(f"{position}", (server,))
