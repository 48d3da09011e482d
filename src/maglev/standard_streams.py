"""Standard input, output and error of a command that was started without them (`<&- >&- 2>&-`)."""

from __future__ import annotations

import os
import sys


def open_missing() -> None:
    """Open on `/dev/null` what is closed of the three; to be called before anything else is opened.

    A number that is free is given to the next file or connection, and what is meant for standard error would go there.
    Standard output is opened such that writing fails (`EBADF`): an answer that nobody gets is an error.
    """
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, mode)  # the lowest number that is free
            os.set_inheritable(opened, True)
    # Python leaves out the streams whose descriptors it found closed.
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  (a descriptor, kept)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
