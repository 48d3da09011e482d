"""Sphinx's configuration for the site: `make docs` builds it from this folder into `build/docs`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

project = "maglevd"
release = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "tools.site",
]

# Every link must lead somewhere, in pages and in docstrings alike. `make docs` turns warnings into errors.
nitpicky = True

html_theme = "furo"
html_title = f"maglevd {release}"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

# Pages are read on code hosts too: what is enabled here must not show there as markup.
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

# A prompt is not part of the command, and neither is what the command prints.
copybutton_prompt_text = r"\$ |# "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
