"""The typed client of maglevd's API, for commands, dashboards and scripts."""

from maglev_grpc.client.channel import read_target, read_targets
from maglev_grpc.client.client import Client, connect
from maglev_grpc.client.watch import Connected, Disconnected, Item
from maglev_grpc.convert import Info, Watched
from maglev_grpc.errors import (
    ClientError,
    DeadlineExceeded,
    PermissionDenied,
    ResourceExhausted,
    ServerFault,
    Unavailable,
)
from maglev_grpc.security import Security

__all__ = [
    "Client",
    "ClientError",
    "Connected",
    "DeadlineExceeded",
    "Disconnected",
    "Info",
    "Item",
    "PermissionDenied",
    "ResourceExhausted",
    "Security",
    "ServerFault",
    "Unavailable",
    "Watched",
    "connect",
    "read_target",
    "read_targets",
]
