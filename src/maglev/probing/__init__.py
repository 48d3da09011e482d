"""Probing: sockets, deadlines, cadence and namespaces. The `Prober` runs checkers; the rest is what it works with."""

from maglev.probing.cadence import JITTER
from maglev.probing.job import Job, shape_of
from maglev.probing.lag import LagMeter
from maglev.probing.netns import ask_inside, check_permitted
from maglev.probing.prober import Prober
from maglev.probing.stats import ProberStats
from maglev.probing.verdicts import connect_failed, judge_error, tls_failed

__all__ = [
    "JITTER",
    "Job",
    "LagMeter",
    "Prober",
    "ProberStats",
    "ask_inside",
    "check_permitted",
    "connect_failed",
    "judge_error",
    "shape_of",
    "tls_failed",
]
