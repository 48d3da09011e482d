"""Reads haproxy.cfg: frontends with the backends that they name as services, `listen` sections as both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from itertools import islice

import attrs

from maglev.migrate.bounds import MAX_SERVERS, MAX_VIPS, LookUp, no_look_up
from maglev.migrate.findings import Findings
from maglev.migrate.haproxy.addresses import Endpoint, endpoint_of
from maglev.migrate.haproxy.backends import Backend
from maglev.migrate.haproxy.reasons import is_unconditional, report_proxy, report_section
from maglev.migrate.haproxy.sections import Directive, Section, SectionReader
from maglev.migrate.model import Pool, Server, Service, Source, Vip

_TLS_ENDS = "TLS of clients ends at the servers: they need the certificates"
_BIND_OPTIONS = "maglevd opens no sockets for clients"


def read_haproxy(
    files: Sequence[tuple[str, str]],
    *,
    environment: Mapping[str, str] | None = None,
    look_up: LookUp = no_look_up,
) -> Source:
    """Read a configuration.

    Args:
        files: Name and text of each file, in the order in which HAProxy reads them.
        environment: What variables stand for.
        look_up: Gives the address of a server that has a name in place of one.
    """
    source = Source()
    sections = SectionReader(source.findings, environment or {}).read(files)
    return _Reader(source, sections, look_up).read()


@attrs.define
class _Reader:
    """Makes services of sections."""

    source: Source
    sections: Sequence[Section]
    look_up: LookUp
    _backends: dict[str, Backend] = attrs.field(factory=dict, init=False)
    _used: set[str] = attrs.field(factory=set, init=False)
    _servers: int = attrs.field(default=0, init=False)
    _vips: int = attrs.field(default=0, init=False)

    @property
    def _findings(self) -> Findings:
        return self.source.findings

    def read(self) -> Source:
        """Read all sections."""
        top = [one for section in self.sections if section.kind == "global" for one in section.own]
        healthchecks = {section.name: section for section in self.sections if section.kind == "healthcheck"}
        for section in self.sections:
            if section.kind in ("backend", "listen"):
                self._backends.setdefault(section.name, Backend(section, top, healthchecks, self._findings))
            if section.kind in ("frontend", "backend", "listen", "defaults"):
                report_proxy(section, self._findings)
            elif section.kind != "healthcheck":
                report_section(section, self._findings)
        for section in self.sections:
            if section.kind in ("frontend", "listen"):
                self._frontend(section)
        for name, backend in self._backends.items():
            if name not in self._used and backend.section.kind == "backend":
                self._spare(backend)
        return self.source

    def _spare(self, backend: Backend) -> None:
        servers = [server for pool in self._pools(backend, 0) for server in pool.servers]
        if servers:
            message = "no frontend has it for its default_backend: its servers are probed, and serve nobody"
            self._findings.left_out(backend.section.place, f"backend {backend.section.name}", message)
        self.source.spare.extend(servers)

    def _frontend(self, section: Section) -> None:
        name = f"{section.kind} {section.name}"
        if _is_disabled(section):
            self._findings.left_out(section.place, name, "it is disabled")
            return
        backend = self._backend_of(section)
        vips = tuple(self._vips_of(section))
        if backend is None:
            message = "it has no default_backend" if section.kind == "frontend" else "it has no servers"
            self._findings.left_out(section.place, name, message)
            return
        pools = tuple(self._pools(backend, next((vip.port for vip in vips), 0)))
        if not pools or not vips:
            self.source.spare.extend(server for pool in pools for server in pool.servers)
            missing = "no servers" if not pools else "no address that clients connect to"
            self._findings.left_out(section.place, name, f"it has {missing} that could be carried over")
            return
        self._used.add(backend.section.name)
        self._tell_ports(vips, pools)
        self.source.services.append(
            Service(
                name=section.name,
                vips=vips,
                pools=pools,
                place=section.place,
                sticky=backend.sticky(),
                flush_on_down=backend.flushes(),
                description=_description(section),
            )
        )

    def _backend_of(self, section: Section) -> Backend | None:
        """Find the servers of a frontend: those of the backend that all requests get; a `listen` has its own."""
        own = self._backends.get(section.name) if section.kind == "listen" else None
        if own and own.has_servers:
            return own
        wanted = next((one for one in section.own if is_unconditional(one)), None)
        wanted = wanted or next((one for one in reversed([*section.all]) if one.keyword == "default_backend"), None)
        if wanted is None:
            return None
        if (found := self._backends.get(wanted.word(1))) is None:
            self._findings.left_out(wanted.place, wanted.keyword, "there is no such backend")
        return found

    def _pools(self, backend: Backend, vip_port: int) -> Iterator[Pool]:
        """Give the pool of the servers, then of the backup servers: one for each, unless all are to serve at once."""
        room = max(0, MAX_SERVERS - self._servers)
        made = list(islice(backend.servers(self._backends, self.look_up, vip_port), room))
        self._servers += len(made)
        first = tuple(server for server, backup in made if not backup)
        backups = [server for server, backup in made if backup]
        if first:
            yield Pool("primary", first)
        if backups and backend.all_backups:
            yield Pool("backup", tuple(backups))
        elif backups:
            for position, server in enumerate(backups, 1):
                yield Pool("backup" if len(backups) == 1 else f"backup-{position}", (server,))

    def _tell_ports(self, vips: Sequence[Vip], pools: Sequence[Pool]) -> None:
        ports = {vip.port for vip in vips}
        for pool in pools:
            for server in pool.servers:
                self._tell_port(server, ports - {server.port} if server.port else set())

    def _tell_port(self, server: Server, others: set[int]) -> None:
        if others:
            shown = ", ".join(map(str, sorted(others)[:5]))
            message = f"ports are not translated: the server has to listen on the VIP's port {shown}"
            self._findings.changed(server.place, f"server port {server.port}", message)

    def _vips_of(self, section: Section) -> Iterator[Vip]:
        for one in section.own:
            if one.keyword == "bind":
                yield from self._vips_of_bind(one, one.word(1), set(one.words[2:]))
        if section.arguments and section.kind in ("frontend", "listen"):  # as it was written before HAProxy 1.5
            yield from self._vips_of_bind(Directive(("bind",), section.place), section.arguments[0], set())

    def _vips_of_bind(self, one: Directive, addresses: str, options: set[str]) -> Iterator[Vip]:
        for option in ("ssl", "accept-proxy", "transparent", "interface", "namespace"):
            if option in options:
                message = _TLS_ENDS if option == "ssl" else _BIND_OPTIONS
                self._findings.changed(one.place, f"bind {option}", message)
        for text in addresses.split(","):
            endpoint = endpoint_of(text.strip())
            if endpoint is None or not endpoint.ports:
                self._findings.left_out(one.place, f"bind {text}", "this is no address with a port")
                continue
            yield from self._vips_of_endpoint(one, text, endpoint, both="v4v6" in options)

    def _vips_of_endpoint(self, one: Directive, text: str, endpoint: Endpoint, *, both: bool) -> Iterator[Vip]:
        try:
            found = None if endpoint.host in ("", "*") else ip_address(endpoint.host)
        except ValueError:
            self._findings.left_out(one.place, f"bind {text}", "an address is needed, no name")
            return
        families = (6,) if endpoint.family == 6 or (found is not None and found.version == 6) else (4,)
        address = None if found is None or found.is_unspecified else found
        for port in endpoint.ports:
            self._vips += 1
            if self._vips > MAX_VIPS:
                self._findings.left_out(one.place, f"bind {text}", f"at most {MAX_VIPS} VIPs are taken")
                return
            yield Vip(address, port, one.place, "udp" if endpoint.datagram else "tcp", (4, 6) if both else families)


def _is_disabled(section: Section) -> bool:
    words = [one.keyword for one in section.all if one.keyword in ("disabled", "enabled")]
    return words[-1:] == ["disabled"]


def _description(section: Section) -> str:
    return next((" ".join(one.words[1:]) for one in reversed(section.own) if one.keyword == "description"), "")
