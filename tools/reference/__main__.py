"""Writes the reference, `docs/reference/`, from what the code declares: options, commands, metrics and the `.proto`.

    python -m tools.reference

A test compares what this makes with what is there.
"""

from __future__ import annotations

from tools.reference.pages import FOLDER, PAGES

for name, make in PAGES.items():
    (FOLDER / name).write_text(make(), "utf-8")
    print(f"wrote docs/reference/{name}")
