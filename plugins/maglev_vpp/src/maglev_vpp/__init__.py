"""The dataplane `vpp`: VPP's lb plugin, over its binary API."""

from __future__ import annotations

from maglev_vpp.dataplane import VppDataplane, VppOptions
from maglev_vpp.timings import Timings

__all__ = ["Timings", "VppDataplane", "VppOptions"]
