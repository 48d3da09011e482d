"""Reads keepalived.conf."""

from maglev.migrate.keepalived.reader import read_keepalived

__all__ = ["read_keepalived"]
