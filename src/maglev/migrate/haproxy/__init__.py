"""Reads haproxy.cfg."""

from maglev.migrate.haproxy.reader import read_haproxy

__all__ = ["read_haproxy"]
