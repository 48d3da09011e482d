"""For the tests of plugin authors: conformance suites, scripted dialogues, a plain probe of a real server.

The suites (`maglev.testing.checker_suite`) need hypothesis and are imported by their own name.
"""

from maglev.testing.dialogue import Dialogue, cut, drive
from maglev.testing.wire import probe

__all__ = ["Dialogue", "cut", "drive", "probe"]
