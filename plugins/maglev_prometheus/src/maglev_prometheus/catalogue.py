"""Every metric family: its name, type, labels and meaning. The exposition, the reference page and the tests read it."""

from __future__ import annotations

from typing import Literal

import attrs

Kind = Literal["counter", "gauge", "histogram", "info"]


@attrs.frozen
class Family:
    """One metric family.

    Args:
        name: Its name in the text exposition, without the suffixes of a histogram's samples.
        kind: Its type.
        help: Its meaning, one sentence without a full stop.
        labels: Names of its labels.
        series: The number of its series, in words.
        notes: Further text for the reference page.
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
    "1 per backend and result code that it ever had: usually 1 to 3 per backend",
    "`result` is `pass`, `fail` or `void` (a fault of maglevd's host, which does not count). `code` is HAProxy's "
    "(`L7OK`, `L4CON`, …), or for void results `NOFILE`, `NOPORT`, `NOSEND`, `NETNS`, `ERROR`, `LAG`, `DPLOST`.",
)
DURATIONS = Family(
    "maglev_probe_duration_seconds",
    "histogram",
    "Duration of probes with a pass or fail result",
    ("backend", "type"),
    "17 per backend with `probe-histogram: backend`; 17 per type of check with `probe-histogram: type`",
    "With `probe-histogram: type` there is no label `backend`.",
)
TRANSITIONS = Family(
    "maglev_backend_transitions_total",
    "counter",
    "Changes of a backend's state",
    ("backend", "from", "to"),
    "1 per backend and kind of change that it ever had: usually 1 to 4 per backend",
)
BACKEND_STATE = Family(
    "maglev_backend_state",
    "gauge",
    "1 for the state that a backend is in, 0 for the others",
    ("backend", "state"),
    "5 per backend",
    "`state` is `unknown`, `up`, `down`, `paused` or `disabled`.",
)
BACKEND_HEALTH = Family(
    "maglev_backend_health",
    "gauge",
    "Health counter of a backend, from 0 to rise + fall - 1",
    ("backend",),
    "1 per backend with a health check",
    "0 is fully down. At the maximum, `fall` failures in a row take the backend down.",
)
BACKEND_ENABLED = Family(
    "maglev_backend_enabled",
    "gauge",
    "0 for a backend that the file or a command disables, else 1",
    ("backend",),
    "1 per backend",
)
CERTIFICATE = Family(
    "maglev_backend_certificate_expiry_timestamp_seconds",
    "gauge",
    "End of the TLS certificate that a backend showed last, in seconds since the epoch",
    ("backend",),
    "1 per backend that showed a certificate since the start",
    "Not available with `engine: httpx`. A resumed session shows no certificate: a new one is seen with the next full "
    "handshake.",
)
FRONTEND_STATE = Family(
    "maglev_frontend_state",
    "gauge",
    "1 for the state that a frontend is in, 0 for the others",
    ("frontend", "state"),
    "3 per frontend",
    "`state` is `unknown`, `up` or `down`.",
)
WEIGHT = Family(
    "maglev_frontend_pool_backend_weight",
    "gauge",
    "Configured weight of a backend in a pool, 0 to 100, or the weight that a command set",
    ("backend", "frontend", "pool"),
    "1 per backend of each pool",
)
EFFECTIVE_WEIGHT = Family(
    "maglev_frontend_pool_backend_effective_weight",
    "gauge",
    "Effective weight of a backend in a pool, 0 to 100",
    ("backend", "frontend", "pool"),
    "1 per backend of each pool",
)
CONNECTED = Family(
    "maglev_vpp_connected", "gauge", "1 while connected to the dataplane with its contents known, else 0"
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
    "`direction` is `tx` or `rx`. `result` is `ok`, or `error` for a reply that reports an error or did not arrive.",
)
SYNCS = Family(
    "maglev_vpp_lbsync_total",
    "counter",
    "Operations sent to the dataplane, by kind, and failed ones",
    ("kind", "scope"),
    "7, and one per scope and kind of operation that it ever had",
    "`scope` is the cause of the sync: `transition`, `periodic`, `operator`, `reload` or `fill` (an empty or "
    "restarted dataplane). `kind` is the operation (`add-vip`, `set-weight`, …), or `error` for those that were "
    "refused or not answered.",
)
UNROUTED = Family(
    "maglev_vpp_servers_without_route",
    "gauge",
    "Servers in use that the dataplane has no route to",
    series="1, while connected",
    notes="The dataplane drops packets for them. `maglevc show vpp info` names them.",
)
LOST = Family(
    "maglev_vpp_lost_bytes",
    "gauge",
    "Memory that the dataplane lost to VIPs that were removed or recreated",
    series="1, while connected, with VPP",
    notes="Counted since the dataplane started, while maglevd was connected. Only a restart of VPP frees this memory.",
)
VIP_PACKETS = Family(
    "maglev_vpp_vip_packets_total",
    "counter",
    "Packets of a VIP, by kind",
    ("kind", "port", "prefix", "protocol"),
    "4 per VIP",
    "`kind` is `existing` (of known flows), `first` (of new flows), `untracked` or `no_server`.",
)
ROUTE_PACKETS = Family(
    "maglev_vpp_vip_route_packets_total",
    "counter",
    "Packets that the route of a VIP's address matched",
    ("prefix",),
    "1 per VIP address, if the dataplane counts it",
)
ROUTE_BYTES = Family(
    "maglev_vpp_vip_route_bytes_total",
    "counter",
    "Bytes that the route of a VIP's address matched",
    ("prefix",),
    "1 per VIP address, if the dataplane counts it",
)
LAG = Family("maglev_loop_lag_seconds", "gauge", "Delay of the event loop at the last measurement")
RELOADS = Family(
    "maglev_config_reload_total",
    "counter",
    "Reloads of the configuration",
    ("result",),
    "2",
    "`result` is `success` or `failure`; a refused reload does not change the running configuration.",
)
TROUBLES = Family(
    "maglev_troubles",
    "gauge",
    "Unresolved troubles of the daemon itself, by kind",
    ("kind",),
    "4",
    "`kind` is `exporter` (an exporter does not serve), `exporter-options` (an exporter refused new options and serves "
    "with the old ones), `reload` (the last reload was refused) or `state` (changes by commands were not saved, and "
    "are lost at a restart). `maglevc show version` gives details.",
)
RELOADED_AT = Family(
    "maglev_config_last_reload_success_timestamp_seconds",
    "gauge",
    "Time when the running configuration was loaded, in seconds since the epoch",
)

FAMILIES = tuple(family for family in list(globals().values()) if isinstance(family, Family))
"""All of ours, in the order of the exposition. `process_…`, which prometheus_client gives, comes last."""
