"""Every metric family: its name, type, labels and meaning. The exposition, the reference page and the tests read it."""

from __future__ import annotations

from typing import Literal

import attrs

Kind = Literal["counter", "gauge", "histogram", "info"]


@attrs.frozen
class Family:
    """One metric family.

    Args:
        name: As it stands in the text exposition, without the suffixes of a histogram's samples.
        kind: Its type.
        help: What it says, one sentence without a full stop.
        labels: Names of its labels.
        series: How many series there are, in words.
        notes: What else the reference page says.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    series: str = "1"
    notes: str = ""


PROBES = Family(
    "maglev_probe_total",
    "counter",
    "Completed probes, by result code",
    ("backend", "code", "result", "type"),
    "1 for each result code that a backend ever had: mostly 1 to 3 a backend",
    "`result` is `pass`, `fail` or `void` (a fault of our own, which counts for nothing). `code` is HAProxy's "
    "(`L7OK`, `L4CON`, …), or for void results `NOFILE`, `NOPORT`, `NOSEND`, `NETNS`, `ERROR`, `LAG`, `DPLOST`.",
)
DURATIONS = Family(
    "maglev_probe_duration_seconds",
    "histogram",
    "Duration of probes with a pass or fail result",
    ("backend", "type"),
    "17 a backend with `probe-histogram: backend`; 17 a type of check with `probe-histogram: type`",
    "With `probe-histogram: type` there is no label `backend`.",
)
TRANSITIONS = Family(
    "maglev_backend_transitions_total",
    "counter",
    "Changes of a backend's state",
    ("backend", "from", "to"),
    "1 for each kind of change that a backend ever had: mostly 1 to 4 a backend",
)
BACKEND_STATE = Family(
    "maglev_backend_state",
    "gauge",
    "1 for the state that a backend is in, 0 for the others",
    ("backend", "state"),
    "5 a backend",
    "`state` is `unknown`, `up`, `down`, `paused` or `disabled`.",
)
BACKEND_HEALTH = Family(
    "maglev_backend_health",
    "gauge",
    "Health counter of a backend, from 0 to rise + fall - 1",
    ("backend",),
    "1 a backend with a health check",
    "0 is as far down as it goes; at the top, `fall` failures in a row are needed to take the backend down.",
)
BACKEND_ENABLED = Family(
    "maglev_backend_enabled",
    "gauge",
    "0 for a backend that the file or a command disables, else 1",
    ("backend",),
    "1 a backend",
)
CERTIFICATE = Family(
    "maglev_backend_certificate_expiry_timestamp_seconds",
    "gauge",
    "When the TLS certificate that a backend showed last ends, in seconds since the epoch",
    ("backend",),
    "1 a backend that is probed over TLS and was seen since the start",
    "Checks with `engine: httpx` do not tell it. Servers that resume sessions show no certificate then: a new one is "
    "seen with the next full handshake.",
)
FRONTEND_STATE = Family(
    "maglev_frontend_state",
    "gauge",
    "1 for the state that a frontend is in, 0 for the others",
    ("frontend", "state"),
    "3 a frontend",
    "`state` is `unknown`, `up` or `down`.",
)
WEIGHT = Family(
    "maglev_frontend_pool_backend_weight",
    "gauge",
    "Configured weight of a backend in a pool, 0 to 100, or the weight that a command set",
    ("backend", "frontend", "pool"),
    "1 for each backend of each pool",
)
EFFECTIVE_WEIGHT = Family(
    "maglev_frontend_pool_backend_effective_weight",
    "gauge",
    "Effective weight of a backend in a pool, 0 to 100",
    ("backend", "frontend", "pool"),
    "1 for each backend of each pool",
)
CONNECTED = Family(
    "maglev_vpp_connected", "gauge", "1 while connected to the dataplane and its contents are known, else 0"
)
UPTIME = Family(
    "maglev_vpp_uptime_seconds", "gauge", "Time since the dataplane started", series="1, while connected and known"
)
CONNECTED_FOR = Family(
    "maglev_vpp_connected_seconds", "gauge", "Time since the connection was made", series="1, while connected"
)
INFO = Family(
    "maglev_vpp_info", "info", "Version of the dataplane", ("build_date", "pid", "version"), "1, while connected"
)
MESSAGES = Family(
    "maglev_vpp_api_total",
    "counter",
    "Messages to (tx) and from (rx) the dataplane's API, over all connections",
    ("direction", "msg", "result"),
    "about 40 with VPP",
    "`direction` is `tx` or `rx`, `result` is `ok` or `error`: an answer that says so, or one that never came.",
)
SYNCS = Family(
    "maglev_vpp_lbsync_total",
    "counter",
    "Operations sent to the dataplane, and those that failed",
    ("kind", "scope"),
    "7, and one for each kind of operation that a scope ever had",
    "`scope` says why it was synchronised: `transition`, `periodic`, `operator`, `reload` or `fill` (an empty or "
    "restarted dataplane). `kind` is the operation (`add-vip`, `set-weight`, …), or `error` for those refused or "
    "unanswered.",
)
UNROUTED = Family(
    "maglev_vpp_servers_without_route",
    "gauge",
    "Servers in use that the dataplane has no route to",
    series="1, while connected",
    notes="What is sent to them is dropped. `maglevc show vpp info` names them.",
)
LOST = Family(
    "maglev_vpp_lost_bytes",
    "gauge",
    "Memory that the dataplane never gives back, of VIPs removed or made anew",
    series="1, while connected, with VPP",
    notes="Since the dataplane started, as far as maglevd was there to see it. Only a restart of VPP frees it.",
)
VIP_PACKETS = Family(
    "maglev_vpp_vip_packets_total",
    "counter",
    "Packets of a VIP, by kind",
    ("kind", "port", "prefix", "protocol"),
    "4 a VIP",
    "`kind` is `existing` (of known flows), `first` (of new flows), `untracked` or `no_server`.",
)
ROUTE_PACKETS = Family(
    "maglev_vpp_vip_route_packets_total",
    "counter",
    "Packets that the route of a VIP's address matched",
    ("prefix",),
    "1 for each VIP address, where the dataplane counts it",
)
ROUTE_BYTES = Family(
    "maglev_vpp_vip_route_bytes_total",
    "counter",
    "Bytes that the route of a VIP's address matched",
    ("prefix",),
    "1 for each VIP address, where the dataplane counts it",
)
LAG = Family("maglev_loop_lag_seconds", "gauge", "How late the event loop was when it was last measured")
RELOADS = Family(
    "maglev_config_reload_total",
    "counter",
    "Reloads of the configuration",
    ("result",),
    "2",
    "`result` is `success` or `failure`; a refused reload leaves the running configuration as it was.",
)
TROUBLES = Family(
    "maglev_troubles",
    "gauge",
    "What is wrong with the daemon itself until something puts it right",
    ("kind",),
    "4",
    "`kind` is `exporter` (one does not serve), `exporter-options` (one serves with old options, since it refused the "
    "new), `reload` (the last one was refused) or `state` (changes by commands could not be saved, and are lost at a "
    "restart). `maglevc show version` says what it is.",
)
RELOADED_AT = Family(
    "maglev_config_last_reload_success_timestamp_seconds",
    "gauge",
    "When the running configuration was loaded, in seconds since the epoch",
)

FAMILIES = tuple(family for family in list(globals().values()) if isinstance(family, Family))
"""All of ours, in the order of the exposition. `process_…`, which prometheus_client gives, comes last."""
