"""For the tests of plugin authors: conformance suites, scripted conversations, one probe of a real server.

The suites (`maglev.testing.checker_suite`) need hypothesis and are imported by their own name.
"""

from maglev.testing.conversation import Transcript, run_conversation, split_at
from maglev.testing.probe import probe_once, probe_once_async

__all__ = ["Transcript", "probe_once", "probe_once_async", "run_conversation", "split_at"]
