"""Defines the demonstration: its servers, its configuration, and what is done step by step."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

import attrs

from maglev.api import (
    BackendState,
    Command,
    PauseBackend,
    ResetFrontendPoolBackendWeight,
    ResumeBackend,
    SetFrontendPoolBackendWeight,
)
from maglev.cli.demo.servers import Mode

SERVERS = {
    "ams-1": IPv4Address("127.0.0.11"),
    "ams-2": IPv4Address("127.0.0.12"),
    "ams-3": IPv4Address("127.0.0.13"),
    "fra-1": IPv4Address("127.0.0.21"),
}
PRIMARY = ("ams-1", "ams-2", "ams-3")

_CONFIGURATION = """\
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
      description: shares two of these servers; each server is probed once
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
    """Return the configuration as YAML.

    Args:
        port: Where the servers listen.
    """
    lines = (f"    {name}: {{address: {address}, healthcheck: web}}" for name, address in SERVERS.items())
    return _CONFIGURATION.format(port=port, backends="\n".join(lines))


@attrs.frozen
class Step:
    """One step of the demonstration.

    Args:
        title: What happens, in a few words.
        text: What to look at.
        servers: Servers whose mode changes.
        states: The states that backends will have because of it; others stay.
        commands: Commands to give; they are predicted by previews.
        traced: Follow one flow that this backend gets before.
    """

    title: str
    text: str
    servers: Mapping[str, Mode] = attrs.field(factory=dict)
    states: Mapping[str, BackendState] = attrs.field(factory=dict)
    commands: tuple[Command, ...] = ()
    traced: str = ""


STEPS = (
    Step(
        "ams-1 dies",
        "Its port is closed, so probes are refused. After three failures in a row it gets weight 0. Its new flows go "
        "to other servers; few other flows move.",
        {"ams-1": Mode.STOPPED},
        {"ams-1": BackendState.DOWN},
        traced="ams-1",
    ),
    Step(
        "ams-1 comes back",
        "Two passes in a row bring it up, and every new flow gets its former server: the table depends on the servers "
        "and their weights alone.",
        {"ams-1": Mode.OK},
        {"ams-1": BackendState.UP},
    ),
    Step(
        "the whole primary pool hangs",
        "The servers in Amsterdam still accept connections but do not answer, so probes time out. Once the last of the "
        "three is down, the fallback pool serves.",
        dict.fromkeys(PRIMARY, Mode.HANGING),
        dict.fromkeys(PRIMARY, BackendState.DOWN),
    ),
    Step(
        "the primary pool answers again",
        "As soon as one of its servers is up, the primary pool is active again and Frankfurt stands by.",
        dict.fromkeys(PRIMARY, Mode.OK),
        dict.fromkeys(PRIMARY, BackendState.UP),
    ),
    Step(
        "ams-2 is drained",
        "An operator sets its weight in `web` to 0. It stays up and keeps established flows, and `api` still uses it. "
        "The prediction is the controller's own preview of the command.",
        commands=(SetFrontendPoolBackendWeight("web", "primary", "ams-2", 0),),
    ),
    Step(
        "ams-3 is paused",
        "It gets no probes and no new flows, in both frontends, until an operator resumes it.",
        commands=(PauseBackend("ams-3"),),
    ),
    Step(
        "everything is reset",
        "ams-2 has the weight of the file again. ams-3 starts from `unknown`, and gets its weight with the first pass.",
        commands=(ResetFrontendPoolBackendWeight("web", "primary", "ams-2"), ResumeBackend("ams-3")),
    ),
)
