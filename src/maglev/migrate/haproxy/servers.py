"""Reads `server` lines: addresses, options, and the probe that a proxy's check comes to for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import attrs

from maglev.migrate.bounds import LookUp
from maglev.migrate.findings import Findings, Place
from maglev.migrate.haproxy.addresses import endpoint_of
from maglev.migrate.haproxy.checks import Method
from maglev.migrate.haproxy.durations import duration_of
from maglev.migrate.haproxy.options import report_options
from maglev.migrate.model import Probe, Server
from maglev.migrate.values import Address, host_address, port_number, whole_number, within_bounds

_INTER = timedelta(seconds=2)
_OLD_VERSIONS = {"SSLv3": "TLSv1.0", "TLSv1.0": "TLSv1.0", "TLSv1.1": "TLSv1.1"}
_VERSIONS = ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_FORCED = {"force-tlsv10": "TLSv1.0", "force-tlsv11": "TLSv1.1", "force-tlsv12": "TLSv1.2", "force-tlsv13": "TLSv1.3"}


@attrs.frozen
class Settings:
    """What servers take over from their proxy and from `global`.

    Args:
        proxy: The proxy's name.
        method: What is checked.
        connect_timeout: `timeout connect`; `None` if it is not set.
        check_timeout: `timeout check`; `None` if it is not set.
        source: The proxy's `source`, as it stands.
        verify: Whether certificates are looked at unless a server says otherwise.
        ca_base: The folder of authorities; likewise `crt_base` of certificates.
        vip_port: The port of the first VIP; 0 if there is none.
    """

    proxy: str
    method: Method
    connect_timeout: timedelta | None = None
    check_timeout: timedelta | None = None
    source: str = ""
    verify: bool = True
    ca_base: str = ""
    crt_base: str = ""
    vip_port: int = 0


@attrs.frozen
class ServerLine:
    """A server as it stands.

    Args:
        address: As it stands.
        options: Its own, with those of `default-server` below them.
    """

    name: str
    address: str
    options: Mapping[str, str]
    place: Place


@attrs.frozen
class Checked:
    """Whose check a server has: its own, or that of the server that it tracks.

    Args:
        reader: Of the proxy that the check belongs to.
        line: The server that the check belongs to.
        port: Where it differs from the port of the server that is probed; else 0.
    """

    reader: ServerReader
    line: ServerLine
    port: int = 0


@attrs.frozen
class ServerReader:
    """Makes servers of lines."""

    settings: Settings
    findings: Findings

    def server(self, line: ServerLine, look_up: LookUp, checked: Checked | None) -> Server | None:
        """Make a server; `None` if its address is of no use.

        Args:
            line: The server.
            look_up: Gives addresses of names.
            checked: How it is checked; `None` if it is not.
        """
        endpoint = endpoint_of(line.address)
        address = (host_address(endpoint.host) or look_up(endpoint.host)) if endpoint else None
        if endpoint is None or address is None:
            message = "an address is needed: names and sockets are not looked up; with --resolve, names are"
            self.findings.left_out(line.place, f"server {line.address}", message)
            return None
        report_options(line.options, line.place, self.findings)
        port = endpoint.ports[0] if endpoint.ports else 0
        return Server(
            name=line.name,
            scope=self.settings.proxy,
            address=address,
            place=line.place,
            port=port,
            weight=self._weight(line),
            probe=checked.reader.probe(checked.line, line, address, checked.port or port) if checked else None,
            enabled="disabled" not in line.options,
        )

    def _weight(self, line: ServerLine) -> int:
        if (text := line.options.get("weight")) is None:
            return 1
        weight = whole_number(text, 0, 256)
        if weight is None:
            self.findings.left_out(line.place, "server weight", "this is no weight from 0 to 256; 1 is taken")
        return 1 if weight is None else weight

    def probe(self, line: ServerLine, of: ServerLine, address: Address, port: int) -> Probe | None:
        """Make the probe of a server.

        Args:
            line: Whose check it is: the server's, or that of the one that it tracks.
            of: The server that is probed.
            address: The server's.
            port: The port that its traffic goes to; 0 if it is not known.
        """
        options, method = line.options, self.settings.method
        connect = method.connect
        port = self._probe_port(line, port)
        if not port:
            self.findings.left_out(
                line.place, "server check", "there is no port to probe; the server always counts as up"
            )
            return None
        said = (connect.address if connect else "") or options.get("addr", "")
        if said and host_address(said) != address:
            self.findings.changed(
                line.place, f"server addr {said}", f"maglevd probes a server's own address, {address}"
            )
        elsewhere = "addr" in options or "port" in options
        tls = method.tls or "check-ssl" in options or ("ssl" in options and not elsewhere)
        if connect and not connect.defaults and not connect.ssl:
            tls = False
        params: dict[str, Any] = dict(method.params)
        kind = "https" if tls and method.protocol == "http" else method.protocol
        if tls:
            params = self._tls(line, params) | ({"ssl": True} if kind == "tcp" else {})
        inter = self._duration(line, "inter") or _INTER
        return Probe(
            type=kind,
            port=port,
            params=params,
            interval=within_bounds(inter),
            fast_interval=self._duration(line, "fastinter"),
            down_interval=self._duration(line, "downinter"),
            timeout=within_bounds(self._timeout(line, inter)),
            rise=self._count(line, "rise", 2),
            fall=self._count(line, "fall", 3),
            source=self._source(of, address),
            name=self.settings.proxy,
            place=method.place,
        )

    def _probe_port(self, line: ServerLine, port: int) -> int:
        connect = self.settings.method.connect
        for text in (connect.port if connect else "", line.options.get("port", "")):
            if text and (found := port_number(text)):
                return found
            if text:
                self.findings.left_out(line.place, f"port {text}", "this is no port: that of the server is taken")
        return port or self.settings.vip_port

    def _timeout(self, line: ServerLine, inter: timedelta) -> timedelta:
        """Return how long a whole probe may take: without `timeout check`, HAProxy gives it all of `inter`."""
        settings = self.settings
        if settings.check_timeout is not None:
            return min(settings.connect_timeout or inter, inter) + settings.check_timeout
        message = "HAProxy gives a probe the whole interval; its timeout is made three quarters of that"
        if "inter" in line.options:
            self.findings.changed(line.place, "server inter", message)
        return inter * 3 / 4

    def _duration(self, line: ServerLine, name: str) -> timedelta | None:
        if (text := line.options.get(name)) is None:
            return None
        found = duration_of(text)
        if found is None:
            self.findings.left_out(line.place, f"server {name}", "this is no duration")
            return None
        return within_bounds(found)

    def _count(self, line: ServerLine, name: str, default: int) -> int:
        if (text := line.options.get(name)) is None:
            return default
        found = whole_number(text, 1, 1000)
        if found is None:
            self.findings.left_out(line.place, f"server {name}", f"1 to 1000 are allowed; {default} is taken")
        return found or default

    def _source(self, line: ServerLine, address: Address) -> Address | None:
        text = line.options.get("source") or self.settings.source
        endpoint = endpoint_of(text) if text else None
        source = host_address(endpoint.host) if endpoint else None
        if text and (source is None or source.version != address.version):
            self.findings.left_out(line.place, "source", f"this is no IPv{address.version} address")
            return None
        return source

    def _tls(self, line: ServerLine, params: Mapping[str, Any]) -> dict[str, Any]:
        options, settings = line.options, self.settings
        connect = settings.method.connect
        made = dict(params)
        name = (connect.sni if connect else "") or options.get("check-sni", "") or options.get("verifyhost", "")
        if name:
            made["server-name"] = name
        verified = options.get("verify", "required" if settings.verify else "none") != "none"
        if not verified or "insecure-skip-verify" in params:
            made["insecure-skip-verify"] = True
        elif not name and "host" not in params:
            message = "the certificate must name the server's address: set server-name to the name that it has"
            self.findings.changed(line.place, "server verify", message)
        authorities = options.get("ca-file", "")
        if verified and authorities and not authorities.startswith("@"):
            made["ca-file"] = _in_folder(settings.ca_base, authorities)
        if certificate := options.get("crt"):
            made["certificate"] = _in_folder(settings.crt_base, certificate)
        if ciphers := options.get("ciphers"):
            made["ciphers"] = ciphers
        return made | _version(options)


def _in_folder(folder: str, file: str) -> str:
    return file if not folder or file.startswith("/") else f"{folder.rstrip('/')}/{file}"


def _version(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the lowest version of TLS, unless it is the default; OpenSSL speaks old ones at security level 0 only."""
    wanted = next((version for name, version in _FORCED.items() if name in options), options.get("ssl-min-ver", ""))
    version = _OLD_VERSIONS.get(wanted, wanted)
    if version not in _VERSIONS or version == "TLSv1.2":
        return {}
    return {"min-tls-version": version} | ({"security-level": 0} if wanted in _OLD_VERSIONS else {})
