"""How long to wait for VPP, in one place."""

from __future__ import annotations

import attrs


@attrs.frozen
class Timings:
    """Deadlines and intervals in seconds.

    VPP's main thread answers between packets and its own housekeeping: milliseconds as a rule, a second when it is
    busy. What takes longer than these deadlines hangs.

    Args:
        call_s: For one call, and for any sign of life while something is asked.
        dump_s: For a dump of everything, while rows keep coming.
        connect_s: For all steps from an accepted connection to a session.
        wait_s: How long connecting waits for a socket that is not there yet, before it gives up for now.
        wait_again_s: The same, when it was already said that nobody is there.
        poll_s: Time between two looks for that socket.
        ping_every_s: Time between two questions whether VPP is still alive.
    """

    call_s: float = 5.0
    dump_s: float = 15.0
    connect_s: float = 10.0
    wait_s: float = 30.0
    wait_again_s: float = 3600.0
    poll_s: float = 0.2
    ping_every_s: float = 10.0
