"""Starts a machine to try packages and units on: a Debian root in memory, with its own systemd as the first process.

No engine of containers is needed: namespaces, a root that was packed with tar, and nothing else. The network is the
machine's own and has no way out. Needs root, and a kernel with cgroups of version 2.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

SHARED = "/mnt"
"""Where the machine finds the folder that it shares with this one."""
BOOTED_WITHIN_S = 120.0

# As in systemd's "container interface": what its manager mounts before it is started. /run is shared with the services,
# so that a namespace or a credential that is made later appears in them.
_BOOT = """\
set -e
root=$1 tar=$2 shared=$3
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
tar -C "$root" --numeric-owner --xattrs -xf "$tar"
cd "$root"
mount -t proc proc proc
# What the network's settings are is this machine's own affair; all others are those of the kernel that everybody uses.
mount --bind proc/sys/net "$root/mnt"
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --move "$root/mnt" proc/sys/net
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount --bind "$shared" "${root}$4"
ln -s /dev/null etc/systemd/system/systemd-modules-load.service  # the kernel is not this machine's
pivot_root . .
umount -l .
cd /
mount --make-rshared /
ip link set lo up
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --log-target=journal
"""


_NAMESPACES = ("--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "--net", "--kill-child=SIGKILL")


def why_not() -> str:
    """Say why no machine can be started here; empty if one can."""
    if os.geteuid():
        return "needs root"
    ask = "mount --make-rprivate / && mount -t cgroup2 cgroup2 /mnt && mount -t tmpfs tmpfs /mnt"
    done = subprocess.run(["unshare", *_NAMESPACES, "sh", "-c", ask], check=False, capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


@attrs.frozen
class Machine:
    """A machine that has started.

    Args:
        pid: Its first process, as this machine counts.
        shared: The folder that it finds at `SHARED`.
    """

    pid: int
    shared: Path

    def try_run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as root, whatever it ends with; standard error is part of what it printed."""
        enter = ["nsenter", "--target", str(self.pid), "--all"]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        return subprocess.run(
            [*enter, *clean, *words],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def run(self, *words: str) -> str:
        """Run a command in it, as root, and return what it printed.

        Raises:
            AssertionError: It failed; with what it printed.
        """
        done = self.try_run(*words)
        if done.returncode:
            raise AssertionError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of it, below folders that are there."""
        place = self.inside(path)
        place.write_text(text, "utf-8")
        place.chmod(mode)

    def inside(self, path: str) -> Path:
        """Where this machine finds one of its files."""
        return Path(f"/proc/{self.pid}/root{path}")


@contextmanager
def started(tar: Path) -> Iterator[Machine]:
    """Start a machine, and stop it in the end; nothing of it is kept.

    Args:
        tar: Its root, packed with numeric owners; systemd, its D-Bus and iproute2 must be in it.

    Raises:
        RuntimeError: It did not start within `BOOTED_WITHIN_S`; says what its systemd complained of.
    """
    with tempfile.TemporaryDirectory(prefix="machine-") as place:
        root, shared = Path(place, "root"), Path(place, "shared")
        root.mkdir()
        shared.mkdir()
        shared.chmod(0o755)
        Path(place).chmod(0o755)
        words = ["unshare", *_NAMESPACES, "sh", "-c", _BOOT, "sh", str(root), str(tar), str(shared), SHARED]
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as outer:
            try:
                yield _booted(outer, shared)
            finally:
                if (pid := _child(outer.pid)) is not None:
                    os.kill(pid, signal.SIGKILL)  # with it ends all that runs in its namespace
                outer.wait()


def _booted(outer: subprocess.Popen[bytes], shared: Path) -> Machine:
    deadline = time.monotonic() + BOOTED_WITHIN_S
    state = "no first process"
    while time.monotonic() < deadline and outer.poll() is None:
        pid = _child(outer.pid)
        if pid is not None and Path(f"/proc/{pid}/comm").read_text() == "systemd\n":
            machine = Machine(pid, shared)
            state = machine.try_run("systemctl", "is-system-running", "--wait").stdout.strip()
            if state == "running":
                return machine
            if state == "degraded":
                raise RuntimeError(f"started badly:\n{machine.run('systemctl', '--failed')}")
        time.sleep(0.1)
    said = outer.stdout.read().decode() if outer.poll() is not None and outer.stdout is not None else ""
    raise RuntimeError(f"did not start: {state}\n{said}")


def _child(pid: int) -> int | None:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return None
    return int(children[0]) if children else None
