"""The pytest plugin: fixtures for the tests of checkers, and readable assertions from the suites.

Registered under pytest's entry-point group, so installing the core is enough to have it. It imports little: every test
run in an environment where maglevd is installed loads it.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from maglev.api import Target

pytest.register_assert_rewrite("maglev.testing.checker_suite")


@pytest.fixture
def loopback_target() -> Callable[..., Target]:
    """Makes targets on loopback.

    Returns:
        `make(port, address="127.0.0.1", timeout_s=5.0)`, where the timeout is only there to end a test that hangs.
    """

    def make(port: int, address: str = "127.0.0.1", timeout_s: float = 5.0) -> Target:
        return Target(f"{address}:{port}", ip_address(address), port, timeout_ns=int(timeout_s * 1e9))

    return make
