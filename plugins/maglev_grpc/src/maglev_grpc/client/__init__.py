"""The typed client of maglevd's API, for commands, dashboards and scripts."""

from maglev_grpc.client.channel import read_target, read_targets
from maglev_grpc.client.client import Client, connect
from maglev_grpc.client.errors import ClientError, NotAllowed, ServerFault, TooLong, TooMuch, Unreachable
from maglev_grpc.client.watch import Connected, Disconnected, Item
from maglev_grpc.convert import Info, Watched
from maglev_grpc.security import Security

__all__ = [
    "Client",
    "ClientError",
    "Connected",
    "Disconnected",
    "Info",
    "Item",
    "NotAllowed",
    "Security",
    "ServerFault",
    "TooLong",
    "TooMuch",
    "Unreachable",
    "Watched",
    "connect",
    "read_target",
    "read_targets",
]
