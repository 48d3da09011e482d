"""The options of the dataplane `vpp`, and its deadlines."""

from __future__ import annotations

import attrs

from maglev.api import option


@attrs.frozen
class VppOptions:
    """The sockets of VPP."""

    api_addr: str = option(
        "/run/vpp/api.sock",
        help="Unix socket of VPP's binary API; empty switches VPP off",
        flag="vpp-api-addr",
    )
    stats_addr: str = option(
        "/run/vpp/stats.sock",
        help="Unix socket of VPP's statistics; empty: no counters",
        flag="vpp-stats-addr",
    )


@attrs.frozen
class Timings:
    """Deadlines and intervals in seconds.

    VPP's main thread answers between packets and its own housekeeping: milliseconds as a rule, a second when it is
    busy. What takes longer than these deadlines is taken for hanging.

    Args:
        call_s: For one call; also for any message at all while VPP owes a reply.
        dump_s: For a dump of everything, while rows keep coming.
        connect_s: For all steps from an accepted connection to a session.
        wait_s: How long to wait for an absent socket before connecting fails.
        wait_again_s: The same, after connecting has failed for this reason.
        poll_s: Time between two attempts to find the socket.
        ping_every_s: Time between two pings.
    """

    call_s: float = 5.0
    dump_s: float = 15.0
    connect_s: float = 10.0
    wait_s: float = 30.0
    wait_again_s: float = 3600.0
    poll_s: float = 0.2
    ping_every_s: float = 10.0
