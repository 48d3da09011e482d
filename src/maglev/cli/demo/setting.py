"""The configuration of the demonstration: four servers, two VIPs, each with a primary and a fallback pool."""

from __future__ import annotations

from ipaddress import IPv4Address

SERVERS = {
    "ams-1": IPv4Address("127.0.0.11"),
    "ams-2": IPv4Address("127.0.0.12"),
    "ams-3": IPv4Address("127.0.0.13"),
    "fra-1": IPv4Address("127.0.0.21"),
}
PRIMARY = ("ams-1", "ams-2", "ams-3")

_TEXT = """\
# The demonstration's configuration. Change it, and send the daemon a SIGHUP.
maglev:
  dataplane: memory
  healthchecks:
    web:
      type: http
      port: {port}
      params: {{path: /healthz}}
      interval: 500ms        # while a backend is healthy
      fast-interval: 200ms   # while it is between healthy and not
      down-interval: 500ms   # while it is down
      timeout: 150ms
      rise: 2
      fall: 3
  backends:
{backends}
  frontends:
    web:
      description: a site, three servers in Amsterdam, one in Frankfurt to fall back to
      address: 192.0.2.80
      protocol: tcp
      port: 443
      pools:
        - name: primary
          backends:
            ams-1: {{weight: 100}}
            ams-2: {{weight: 100}}
            ams-3: {{weight: 50}}
        - name: fallback
          backends:
            fra-1: {{}}
    api:
      description: another one on two of the same servers; each server is probed once
      address: 2001:db8::80
      protocol: tcp
      port: 443
      pools:
        - name: primary
          backends: {{ams-2: {{}}, ams-3: {{}}}}
        - name: fallback
          backends: {{fra-1: {{}}}}
"""


def configuration(port: int) -> str:
    """The configuration as YAML.

    Args:
        port: Where the servers listen.
    """
    lines = (f"    {name}: {{address: {address}, healthcheck: web}}" for name, address in SERVERS.items())
    return _TEXT.format(port=port, backends="\n".join(lines))
