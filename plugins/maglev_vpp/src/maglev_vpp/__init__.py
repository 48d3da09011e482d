"""The dataplane `vpp`: VPP's lb plugin, over its binary API."""

from __future__ import annotations

from maglev_vpp.dataplane import VppDataplane
from maglev_vpp.options import Timings, VppOptions

__all__ = ["Timings", "VppDataplane", "VppOptions"]
