"""Network namespaces: enter one, make sockets there, come back, all within one call and no await in between.

Only `socket()` must happen inside; a socket keeps its namespace for life. Python 3.11 has no `os.setns`.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import attrs

from maglev.probing.verdicts import NetnsError

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_EXIT_LOST = 71  # EX_OSERR of sysexits.h
_RECHECK_NS = 1_000_000_000
_NO_SPACE_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})

_libc = ctypes.CDLL(None, use_errno=True)


def netns_path(name: str) -> str:
    """The file that stands for a namespace: `/run/netns/NAME`, or the path itself if it is one."""
    return name if "/" in name else f"/run/netns/{name}"


def ask_inside(netns: str | None, question: Callable[[], T]) -> T:
    """Call a function within a namespace (name or path; `None` is the current one), entered for this once.

    Raises:
        OSError: The namespace cannot be entered.
    """
    spaces = Namespaces(lambda: 0)
    try:
        with spaces.inside(netns):
            return question()
    finally:
        spaces.close()


def check_permitted(netns: str | None) -> str | None:
    """Say why a namespace (name or path) cannot be entered; `None` if it can. The current one, `None`, always can."""
    try:
        ask_inside(netns, lambda: None)
    except OSError as error:
        return str(error)
    return None


@attrs.define
class _Space:
    """One open namespace."""

    fd: int
    identity: tuple[int, int]
    checked_ns: int


class Namespaces:
    """The namespaces that probes run in, kept open, and opened again when their path names another one."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._spaces: dict[str, _Space] = {}
        self._home: int | None = None

    def identity(self, name: str | None) -> tuple[int, int] | None:
        """Identify a namespace, so that one made later under the same name differs; `None` for the current one.

        Raises:
            NetnsError: There is no such namespace.
            OSError: No descriptor was free to look.
        """
        return None if name is None else self._space(name).identity

    @contextmanager
    def inside(self, name: str | None) -> Iterator[None]:
        """Be in a namespace. Do not await within: the whole thread is there.

        Args:
            name: Name or path; `None` stays where we are.

        Raises:
            NetnsError: It is missing or may not be entered.
            OSError: No descriptor was free to open it.
        """
        if name is None:
            yield
            return
        space = self._space(name)
        home = self._home_fd()
        if _setns(space.fd):
            self._drop(name)
            raise NetnsError(ctypes.get_errno(), f"network namespace {name}: {_why(ctypes.get_errno())}")
        try:
            yield
        finally:
            if _setns(home):
                _die(name)

    def close(self) -> None:
        """Let go of all namespaces."""
        for name in list(self._spaces):
            self._drop(name)
        if self._home is not None:
            os.close(self._home)
            self._home = None

    def _home_fd(self) -> int:
        if self._home is None:
            self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        return self._home

    def _space(self, name: str) -> _Space:
        now_ns = self._clock_ns()
        space = self._spaces.get(name)
        if space is not None and now_ns - space.checked_ns < _RECHECK_NS:
            return space
        fd = self._open(name)
        status = os.fstat(fd)
        identity = status.st_dev, status.st_ino
        if space is not None and space.identity == identity:
            os.close(fd)
            space.checked_ns = now_ns
            return space
        if space is not None:
            self._drop(name)
        self._spaces[name] = space = _Space(fd, identity, now_ns)
        return space

    def _open(self, name: str) -> int:
        try:
            # Lives in memory (nsfs, or the empty file that a deleted namespace leaves): nothing here waits for a disk.
            return os.open(netns_path(name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in _NO_SPACE_ERRORS:
                raise
            # A deleted namespace exists as long as it is held open, but probes from there would prove nothing.
            self._drop(name)
            raise NetnsError(error.errno, f"network namespace {name}: {error.strerror}") from error

    def _drop(self, name: str) -> None:
        space = self._spaces.pop(name, None)
        if space is not None:
            os.close(space.fd)


def _setns(fd: int) -> int:
    return int(_libc.setns(fd, _CLONE_NEWNET))


def _why(number: int) -> str:
    if number == errno.EPERM:
        return "not permitted to enter (needs CAP_SYS_ADMIN)"
    if number == errno.EINVAL:
        return "not a network namespace"
    return os.strerror(number)


def _die(name: str) -> None:
    # Whatever ran next in this thread (the API, the dataplane's socket) would run in the wrong namespace.
    os.write(2, f"maglevd: cannot return from network namespace {name}: {os.strerror(ctypes.get_errno())}\n".encode())
    os._exit(_EXIT_LOST)
