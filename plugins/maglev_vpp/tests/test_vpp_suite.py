"""The contract of a dataplane, on the stand-in and on a real VPP where there is one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from maglev.api import Dataplane
from maglev.domain.table import Address, bucket_counts
from maglev.testing.dataplane_suite import DataplaneSuite
from maglev_vpp import VppDataplane
from plugins.maglev_vpp.tests.standin.harness import Process


class TestVppDataplane(DataplaneSuite):
    @pytest.fixture
    def dataplane(self, vpp: Process) -> Dataplane:
        self.vpp = vpp
        return VppDataplane(vpp.options)

    def predict(self, servers: Mapping[Address, int], table_length: int) -> Mapping[Address, int]:
        return bucket_counts(servers, table_length)

    async def lose(self, dataplane: Dataplane) -> None:
        await self.vpp.restart()
