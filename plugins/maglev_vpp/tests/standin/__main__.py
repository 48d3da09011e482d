"""Starts the stand-in: `python -m plugins.maglev_vpp.tests.standin FOLDER [KIND]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from .server import run, vocabulary_of

if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), vocabulary_of(sys.argv[2] if len(sys.argv) > 2 else "full")))
