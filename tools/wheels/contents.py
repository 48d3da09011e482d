"""Judges what is in a wheel: everything of its sources, what belongs to its commands, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from tools.share.files import files
from tools.share_hook import own_files
from tools.wheels.wheel import Wheel

_UNWANTED = re.compile(r"(^|/)(tests?|__pycache__|node_modules|\.[^/]+)(/|$)|\.py[cod]$|(^|/)conftest\.py$")
_MADE = {
    "maglevd": ("maglev/_build.py",),
    "maglev-grpc": ("maglev_grpc/proto/maglev/v1/maglev_pb2.py", "maglev_grpc/proto/maglev/v1/maglev_pb2.pyi"),
    "maglev-web": ("maglev_web/static/index.html",),
}
"""What a build makes, which no list of sources has."""
_WANTED_METADATA = ("Summary", "License-Expression", "Requires-Python", "Description-Content-Type")


def problems(wheel: Wheel, sources: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with a wheel, one line each.

    Args:
        wheel: The wheel.
        sources: The files of its package that the repository has, as `maglev/__init__.py`.
    """
    folder = f"{wheel.distribution.replace('-', '_')}-{wheel.version}"
    allowed = (f"{wheel.package}/", f"{folder}.dist-info/", f"{folder}.data/data/share/")
    own = own_files((*wheel.scripts, "maglev.yaml") if wheel.distribution == "maglevd" else wheel.scripts)
    share = {place for place in files() if wheel.scripts and own.fullmatch(PurePath(place).name)}
    wanted = {
        *sources,
        *_MADE.get(wheel.distribution, ()),
        f"{folder}.dist-info/licenses/LICENSE",
        *(f"{folder}.data/data/share/{place}" for place in share),
    }
    yield from (f"lacks {name}" for name in sorted(wanted - wheel.names))
    yield from (f"must not have {name}" for name in sorted(wheel.names) if not name.startswith(allowed))
    yield from (f"must not have {name}" for name in sorted(wheel.names) if _UNWANTED.search(name))
    yield from (f"does not say its {name}" for name in _WANTED_METADATA if not wheel.metadata[name])
    yield from (f"{line} has no lower bound" for line in wheel.others if ">=" not in line)
