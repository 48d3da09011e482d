"""Odd servers, and what checks make of them: `python -m tools.servers` writes `docs/reference/servers.md`."""
