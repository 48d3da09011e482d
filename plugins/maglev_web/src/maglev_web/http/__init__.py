"""The web server: pages, state, events, and commands for those who may give them."""

from maglev_web.http.app import create_app

__all__ = ["create_app"]
