"""A timer that is a descriptor, so that one epoll wakes the prober for sockets and for time alike."""

from __future__ import annotations

import ctypes
import os

_CLOCK_MONOTONIC = 1
_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK  # TFD_CLOEXEC and TFD_NONBLOCK are defined to be these
_NS = 1_000_000_000

_TimerSpec = ctypes.c_long * 4
"""`struct itimerspec`: seconds and nanoseconds of the interval, then of the first time."""

_libc = ctypes.CDLL(None, use_errno=True)


class Timer:
    """A one-shot timer (timerfd); its descriptor becomes readable when it goes off.

    Registered edge-triggered it need never be read: each setting starts it afresh.
    """

    def __init__(self) -> None:
        self.fd = int(_libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS))
        if self.fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"timerfd_create: {os.strerror(number)}")
        self._spec = _TimerSpec()
        self._spec_p = ctypes.byref(self._spec)

    def set(self, after_ns: int) -> None:
        """Go off once, this many nanoseconds from now; at once for what is not positive."""
        self._spec[2], self._spec[3] = divmod(max(after_ns, 1), _NS)
        _libc.timerfd_settime(self.fd, 0, self._spec_p, None)

    def stop(self) -> None:
        """Do not go off."""
        self._spec[2] = self._spec[3] = 0
        _libc.timerfd_settime(self.fd, 0, self._spec_p, None)

    def close(self) -> None:
        """Close the descriptor; may be called twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
