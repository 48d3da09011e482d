from __future__ import annotations

from collections.abc import Mapping

import pytest

from maglev.api import Dataplane
from maglev.dataplanes.memory import MemoryDataplane
from maglev.domain.table import Address, bucket_counts
from maglev.testing.dataplane_suite import DataplaneSuite


class TestMemoryDataplane(DataplaneSuite):
    @pytest.fixture
    def dataplane(self) -> Dataplane:
        return MemoryDataplane()

    def predict(self, servers: Mapping[Address, int], table_length: int) -> Mapping[Address, int]:
        return bucket_counts(servers, table_length)

    async def lose(self, dataplane: Dataplane) -> None:
        assert isinstance(dataplane, MemoryDataplane)
        dataplane.store.lose()
