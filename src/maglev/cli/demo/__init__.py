"""`maglevd demo`: failovers on real backends, each one predicted before it happens."""

from maglev.cli.demo.run import run

__all__ = ["run"]
