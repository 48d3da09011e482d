"""Probing: sockets, deadlines, cadence and namespaces. The runtime sees the `Prober` and what it is given."""

from maglev.probing.job import Job, shape_of
from maglev.probing.lag import LagMeter
from maglev.probing.netns import check_permitted
from maglev.probing.prober import Prober
from maglev.probing.stats import ProberStats

__all__ = ["Job", "LagMeter", "Prober", "ProberStats", "check_permitted", "shape_of"]
