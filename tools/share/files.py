"""Lists every file of `share/`, with its text."""

from __future__ import annotations

from maglev.shell_completion import SHELLS, script
from tools.share.manual import COMMANDS, MANUAL, text_of

_COMPLETIONS = {
    "bash": "bash-completion/completions/{}",
    "zsh": "zsh/site-functions/_{}",
    "fish": "fish/vendor_completions.d/{}.fish",
}
"""Where each shell looks for the completion of a command."""


def files() -> dict[str, str]:
    """Return the text of each file, by its path below `share/`."""
    pages = {f"man/man{page.section}/{page.name}.{page.section}": text_of(page) for page in MANUAL}
    scripts = {_COMPLETIONS[shell].format(name): script(name, shell) for shell in SHELLS for name in COMMANDS}
    return pages | scripts
