"""A small HTTP/1.1 server for clients that may be slow, broken or hostile: h11 parses, anyio carries."""

from maglev_prometheus.http.conversation import Timings
from maglev_prometheus.http.listening import listen
from maglev_prometheus.http.messages import Request, Response
from maglev_prometheus.http.server import Server

__all__ = ["Request", "Response", "Server", "Timings", "listen"]
