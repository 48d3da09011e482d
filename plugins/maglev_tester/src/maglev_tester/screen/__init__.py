"""The full-screen view."""

from maglev_tester.screen.run import run_screen

__all__ = ["run_screen"]
