"""Keeps a copy of the daemons' state, and hands changes of it to pages as numbered messages."""

from maglev_web.feed.broker import Broker
from maglev_web.feed.daemon import Daemon
from maglev_web.feed.daemons import Daemons, watching

__all__ = ["Broker", "Daemon", "Daemons", "watching"]
