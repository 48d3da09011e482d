"""The probes: one object per VIP, which can be asked again and again how the VIP does."""

from maglev_tester.probes.probe import Probe, probes_of

__all__ = ["Probe", "probes_of"]
