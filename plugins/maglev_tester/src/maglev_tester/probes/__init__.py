"""How VIPs are probed: checkers for the engine of maglevd, one for each VIP."""

from maglev_tester.probes.answer import Answer
from maglev_tester.probes.checkers import VipChecker
from maglev_tester.probes.keepalive import checkers_of

__all__ = ["Answer", "VipChecker", "checkers_of"]
