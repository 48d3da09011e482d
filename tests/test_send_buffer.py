"""Limits on what the kernel holds for a client that does not read."""

from __future__ import annotations

import contextlib
import socket

import pytest

from maglev.listening import SEND_BUFFER, listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_client_that_reads_nothing_costs_the_kernel_little(host: str, everywhere: bool) -> None:
    address = ":0" if everywhere else f"[{host}]:0" if ":" in host else f"{host}:0"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with listen(address, 1) as listener, socket.socket(family) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, listener.getsockname()[1]))
        connection, _ = listener.accept()
        with connection:
            connection.setblocking(False)
            sent = 0
            with contextlib.suppress(BlockingIOError):
                while sent < 100 * SEND_BUFFER:
                    sent += connection.send(bytes(4096))
            # The kernel counts its own bookkeeping too, and takes the last write whole.
            assert sent <= 4 * SEND_BUFFER
