"""What the daemons say, kept up to date, and handed on as numbered messages."""

from maglev_web.feed.broker import Broker
from maglev_web.feed.daemon import Daemon
from maglev_web.feed.daemons import Daemons, watching

__all__ = ["Broker", "Daemon", "Daemons", "watching"]
