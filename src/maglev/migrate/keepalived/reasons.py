"""Says why directives of keepalived.conf are not carried over."""

from __future__ import annotations

from typing import Final

from maglev.migrate.reporting import NO_PROGRAM, Reasons

_VRRP: Final = "maglevd moves no addresses between hosts: routing has to bring a VIP to the load balancer"
_ANNOUNCED: Final = "alert on maglevd's metrics in place of mail"
_SPREAD: Final = "new flows are spread by Maglev's hash and the weights"

FLAGS = ("flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback", "hashed", "ops")
"""Flags of schedulers."""
UNWEIGHTED = ("rr", "lc", "lblc", "lblcr", "dh", "twos")
"""Schedulers that know weights only as 0 or not."""
SCHEDULERS = {
    "rr": f"{_SPREAD}, which this scheduler does not regard: all are taken as equal",
    "wrr": _SPREAD,
    "lc": f"{_SPREAD}, which this scheduler does not regard: all are taken as equal; connections are not counted",
    "wlc": f"{_SPREAD}; connections are not counted",
    "lblc": f"{_SPREAD}; destinations are not regarded",
    "lblcr": f"{_SPREAD}; destinations are not regarded",
    "dh": f"{_SPREAD}; destinations are not regarded",
    "sed": f"{_SPREAD}; connections are not counted",
    "nq": f"{_SPREAD}; connections are not counted",
    "twos": f"{_SPREAD}; connections are not counted",
    "fo": "each server has a pool of its own, the heaviest first; servers of weight 0 are left out",
    "ovf": "each server has a pool of its own, the heaviest first; none overflows, as connections are not counted",
}
"""What becomes of schedulers; `sh` and `mh` stay what they are."""

TOP: Reasons = {
    "global_defs": ("not needed", "what it sets is of keepalived itself"),
    "static_ipaddress": ("left out", "maglevd sets no addresses"),
    "static_routes": ("left out", "maglevd sets no routes"),
    "static_rules": ("left out", "maglevd sets no rules"),
    "track_group": ("left out", _VRRP),
    "track_file": ("left out", "no check reads a file: a script may call `maglevc set backend … pause`"),
    "vrrp_track_file": ("left out", _VRRP),
    "vrrp_track_process": ("left out", _VRRP),
    "vrrp_script": ("left out", _VRRP),
    "vrrp_instance": ("left out", _VRRP),
    "vrrp_sync_group": ("left out", _VRRP),
    "garp_group": ("left out", _VRRP),
    "interface_up_down_delays": ("left out", _VRRP),
    "linkbeat_interfaces": ("left out", _VRRP),
    "linkbeat_use_polling": ("left out", _VRRP),
    "bfd_instance": ("left out", "maglevd speaks no BFD"),
    "net_namespace_ipvs": ("left out", "the dataplane is reached by its socket, whatever the namespace"),
    "namespace_with_ipsets": ("not needed", "there are no ipsets"),
    "instance": ("not needed", "what it sets is of keepalived itself"),
    "use_pid_dir": ("not needed", "what it sets is of keepalived itself"),
    "child_wait_time": ("not needed", "what it sets is of keepalived itself"),
}

SSL: Reasons = {
    "ca": ("not needed", "certificates of servers are not verified, as with keepalived"),
    "password": ("left out", "a key has no password: store it without one"),
}

VIRTUAL_SERVER: Reasons = {
    "persistence_engine": ("left out", "flows are told apart by addresses and ports, or by the source address only"),
    "persistence_granularity": ("left out", "a client keeps its server by its whole address"),
    "ha_suspend": ("left out", "maglevd probes whether or not the VIP is on this host"),
    "smtp_alert": ("left out", _ANNOUNCED),
    "alpha": ("not needed", "a server that was never probed gets no new flows"),
    "omega": ("left out", NO_PROGRAM),
    "hysteresis": ("left out", "min-up has none"),
    "quorum_up": ("left out", NO_PROGRAM),
    "quorum_down": ("left out", NO_PROGRAM),
    "sorry_server_inhibit": ("not needed", "a server that stands by has weight 0"),
    "sorry_server_lvs_method": ("changed", "packets go to servers in GRE"),
    "warmup": ("not needed", "first probes are spread"),
}

REAL_SERVER: Reasons = {
    "uthreshold": ("left out", "connections are not counted"),
    "lthreshold": ("left out", "connections are not counted"),
    "notify_up": ("left out", NO_PROGRAM),
    "notify_down": ("left out", NO_PROGRAM),
    "smtp_alert": ("left out", _ANNOUNCED),
}
