"""The web server: pages, state, events, and commands for those who may give them."""

from maglev_web.http.app import create_app
from maglev_web.http.auth import Credentials

__all__ = ["Credentials", "create_app"]
