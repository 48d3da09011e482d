"""SIGHUP, from the first moment on: it never ends the daemon, and no process that the daemon starts hears it.

A signal that a thread blocks waits, and a new process inherits what its parent's thread blocks. So the main thread
blocks SIGHUP as long as it lives, and with it all that it starts; one thread takes it once there is a handler.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_HANGUP = (signal.SIGHUP,)


def hold() -> None:
    """Let SIGHUP wait; to be called before anything that takes time, such as imports."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANGUP)


def release() -> None:
    """Have SIGHUP do what it does to any program: end it, for instance when its terminal is gone."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANGUP)


@contextmanager
def taken() -> Iterator[None]:
    """Have the handler of SIGHUP called while the context lasts, for one that waited too; then it waits again."""
    over = threading.Event()

    def take() -> None:
        release()
        over.wait()
        hold()  # a thread that was joined may live on for a moment, when the handler is gone

    thread = threading.Thread(target=take, name="hangup", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
