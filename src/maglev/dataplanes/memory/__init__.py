"""The dataplane `memory`."""

from maglev.dataplanes.memory.contents import Written
from maglev.dataplanes.memory.dataplane import MemoryDataplane, dataplane_over
from maglev.dataplanes.memory.store import MemoryStore

__all__ = ["MemoryDataplane", "MemoryStore", "Written", "dataplane_over"]
