"""Writes manual pages and completions, made from the code, where packages and wheels find them.

    python -m tools.share [FOLDER]

Below FOLDER, which is `build/share` if not given, files lie as below `/usr/share`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.share.files import files

ROOT = Path(__file__).resolve().parents[2]
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/share"

for place, text in files().items():
    file = folder / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    print(f"wrote {file}")
