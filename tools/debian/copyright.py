"""Writes debian/copyright of a package: what is inside, whose it is, and under which licence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

import attrs

_HEAD = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: maglevd
Comment: This package holds its dependencies as their authors published them. All but the first paragraph was read off
 them when the package was built.

Files: *
Copyright: the authors of maglevd
License: Apache-2.0
 See /usr/share/common-licenses/Apache-2.0.
"""

# Licences whose texts Debian has in /usr/share/common-licenses, where a package refers to them, by how each begins.
_COMMON = {
    "Apache License": "Apache-2.0",
    "GNU LESSER GENERAL PUBLIC LICENSE": "LGPL-3",
    "Mozilla Public License": "MPL-2.0",
}
_BEGINNING = 400
# Where a distribution says it in words, or only by a classifier.
_SHORT_NAMES = {
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v3.0": "LGPL-3",
    "MIT License": "MIT",
    "The MIT License (MIT)": "MIT",
}
_TEXT_NAME = re.compile(r"(?i)^(?:licen[cs]e|copying|notice)")
# A line that names a holder, and not one of a licence's own sentences or its form to fill in.
_HOLDER = re.compile(
    r"(?m)^\W{0,3}(?:\([Cc]\)\s+)?Copyright\s+(?:\([Cc]\)\s*|©\s*)?(?=\d{4}|the\b|[A-Z])(?P<who>.*\w.*)$"
)
_PAGE_PART = re.compile(r"(?m)^## (?P<name>\S+) - (?P<version>\S+) \((?P<licence>[^)]+)\)$")


@attrs.frozen
class Work:
    """Something of others that is in a package.

    Args:
        name: Its name, for messages.
        files: Patterns of its files, below `/`.
        licence: Short name.
        texts: Of its licence and notices.
        authors: Who is named as such, if no text names a holder.
    """

    name: str
    files: tuple[str, ...]
    licence: str
    texts: tuple[str, ...]
    authors: str

    def paragraph(self) -> str:
        """Return the paragraph of the copyright file."""
        holders = sorted({found["who"].strip() for text in self.texts for found in _HOLDER.finditer(text)})
        owners = holders or [self.authors or f"the authors of {self.name}"]
        lines = [
            "Files: " + "\n ".join(self.files),
            "Copyright: " + "\n ".join(owners),
            f"License: {self.licence}",
            *(f" {line}" if line.strip() else " ." for line in self._licence_lines()),
        ]
        return "\n".join(lines) + "\n"

    def _licence_lines(self) -> Iterator[str]:
        for text in self.texts:
            common = [name for words, name in _COMMON.items() if words in text[:_BEGINNING]]
            if common:
                yield f"See /usr/share/common-licenses/{common[0]}; the text with all notices lies in *.dist-info."
            else:
                yield from text.splitlines()


def copyright_file(works: list[Work]) -> str:
    """Return the file, with a paragraph for each work of others."""
    return "\n".join([_HEAD, *(work.paragraph() for work in works)])


def work_of(found: Distribution, place: str) -> Work:
    """Read off a distribution what is to be said of it.

    Args:
        found: An installed distribution.
        place: Where its folder lies when installed, without the first slash.

    Raises:
        LookupError: It does not say its licence, or comes without its text.
    """
    files = found.files or []
    texts = sorted(str(file.locate()) for file in files if ".dist-info" in str(file) and _TEXT_NAME.match(file.name))
    work = Work(
        found.name,
        tuple(f"{place}/{pattern}" for pattern in sorted(set(_patterns([file.parts for file in files])))),
        _licence(found),
        tuple(Path(text).read_text("utf-8", "replace") for text in texts),
        _stated(found, "Author") or _stated(found, "Author-email"),
    )
    if not work.texts:
        raise LookupError(f"{found.name} comes without the text of its licence, {work.licence}")
    return work


def _patterns(files: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield patterns for the files of a distribution. It shares a folder that is no package of its own with others."""
    packages = {parts[0] for parts in files if parts[-1] == "__init__.py" and len(parts) == 2}
    for parts in files:
        if len(parts) == 1:
            yield parts[0]
        elif parts[0] in packages or parts[0].endswith((".dist-info", ".libs")):
            yield f"{parts[0]}/*"
        elif parts[0] not in {"..", "bin", "share"}:
            yield "/".join(parts[:2]) + ("/*" if len(parts) > 2 else "")


def _stated(found: Distribution, field: str) -> str:
    return next(iter(found.metadata.get_all(field) or []), "")


def _licence(found: Distribution) -> str:
    classifiers = found.metadata.get_all("Classifier") or []
    classified = [value.rpartition(" :: ")[2] for value in classifiers if value.startswith("License ::")]
    stated = _stated(found, "License-Expression") or _stated(found, "License") or " or ".join(classified)
    if not stated:
        raise LookupError(f"{found.name} does not say its licence")
    short = stated.splitlines()[0]
    return _SHORT_NAMES.get(short, short).replace(" OR ", " or ").replace(" AND ", " and ")


def works_of_page(text: str, folder: str) -> Iterator[Work]:
    """Yield what the scripts of a page hold, as the file says that their bundler writes.

    Args:
        text: That file.
        folder: Of the scripts when installed, without the first slash.
    """
    parts = list(_PAGE_PART.finditer(text))
    ends = [part.start() for part in parts[1:]] + [len(text)]
    for part, end in zip(parts, ends, strict=True):
        yield Work(part["name"], (f"{folder}/*",), part["licence"], (text[part.end() : end].strip(),), "")
