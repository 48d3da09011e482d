"""All pages of the reference that are made from the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tools import api_reference
from tools.reference import command_line, configuration, maglevc, maglevd_frontend, maglevt, metrics, python_api

FOLDER = Path(__file__).resolve().parents[2] / "docs/reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "api.md": api_reference.page,
    "command-line.md": command_line.page,
    "configuration.md": configuration.page,
    "maglevc.md": maglevc.page,
    "maglevd-frontend.md": maglevd_frontend.page,
    "maglevt.md": maglevt.page,
    "metrics.md": metrics.page,
    "python/maglev.api.md": python_api.page,
}
"""What makes the text of each, by the name of its file in `FOLDER`."""
