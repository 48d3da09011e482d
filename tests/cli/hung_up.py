"""A `maglevd` that gets SIGHUP as it begins to import what it needs; run as a program by `test_hangup.py`."""

from __future__ import annotations

import os
import signal
import sys


def hang_up(event: str, arguments: tuple[object, ...]) -> None:
    """Send SIGHUP at the first import of a library."""
    if event == "import" and arguments[0] == "click":
        os.kill(os.getpid(), signal.SIGHUP)


if __name__ == "__main__":
    sys.addaudithook(hang_up)
    from maglev.cli.__main__ import main

    main()
