"""The reference page of `maglevc`, written from its options and its list of commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maglev_cli.command import command
from maglev_cli.forms import SHOWN, WORDS
from maglev_cli.grammar import Argument, Form
from tools.reference.options import options_table

_HEAD = """\
# maglevc reference

<!-- Written by `python -m tools.reference` from the list of commands: change it there. -->

`maglevc [OPTION]... [COMMAND]...` runs one command. Without one it is a shell; on a pipe it reads a command from each
line, runs none of them if one is wrong, and stops at the first that fails. Empty lines, and lines that begin with `#`,
are left out.

- A word may be abbreviated as long as it is clear which one is meant: `sh ba` is `show backends`, `sh ba x` is
  `show backend x`. Where a name may stand too, words must be written in full:
  `recreate` and `prune`, as a frontend may be named like their beginning.
- `?` in the place of a word, or behind its beginning, shows what can stand there, on a pipe too. TAB in the shell
  completes words and the names that exist just now. Ctrl-C clears the line, or ends a command; Ctrl-D leaves. History
  is kept in `~/.local/state/maglevc/history`.
- Quotes make anything a value, in the shell and on a pipe: `show backend "?"`, `sync vpp lb state "dry-run"` for a
  frontend of that name. On a command line the quotes must reach maglevc: `maglevc sync vpp lb state "'dry-run'"`.
- Errors are one line on standard error. Exit status: 0; 1 for an error, which includes what a change could not write to
  the dataplane, and problems that `config check` found; 2 for a wrong command or option, and then nothing was asked of
  maglevd; 130 for Ctrl-C, 141 when whoever read the output left.
- `--output json` prints the message of the API, with the names of its fields. 64-bit numbers are strings, as in all
  JSON made of protocol buffers. `watch events` always prints JSON.
- On a terminal that is too narrow for a table, its cells are wrapped.

## Options

Each may also be written with one dash (`-server`, `-color=false`).

"""

_COMPLETION = """

## Completion

The Debian packages complete all four commands in bash, zsh and fish. Wheels put the same files below `share/` of the
environment that they are installed in, beside the manual pages: `man -M .venv/share/man maglevc`. A shell that does not
look there asks the command: `source <(maglevc --completion bash)` in `~/.bashrc`, the same with `zsh` in `~/.zshrc`
(after `compinit`), and `maglevc --completion fish | source` in `~/.config/fish/config.fish`. `maglevd`, `maglevt` and
`maglevd-frontend` have the same option.

Names are asked of the maglevd that the command line names, for one second at most.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD, options_table(command()), _COMPLETION, "\n## Commands\n"]
    for word in dict.fromkeys(form.syntax.split()[0] for form in SHOWN):
        parts += _section(word)
    return "".join(parts)


def _section(word: str) -> Iterator[str]:
    own = [form for form in SHOWN if form.syntax.split()[0] == word]
    yield f"\n### {word}\n\n{_sentence(WORDS.get(word, own[0].help))}\n"
    yield "\n| command | what it does |\n|---|---|\n"
    yield from (_row(form.syntax, form.help) for form in own)
    described = list(dict.fromkeys([*_arguments(own), *_flags(own)]))
    if described:
        yield "\n| argument or flag | what it means |\n|---|---|\n"
        yield from (_row(label, text) for label, text in described)


def _row(syntax: str, text: str) -> str:
    escaped = syntax.replace("|", "\\|")
    return f"| `{escaped}` | {_sentence(text)} |\n"


def _arguments(of: Iterable[Form]) -> Iterator[tuple[str, str]]:
    items = (item for form in of for part in (form.words, *form.flags) for item in part.items)
    return ((item.label, item.help) for item in items if isinstance(item, Argument))


def _flags(of: Iterable[Form]) -> Iterator[tuple[str, str]]:
    return ((flag.syntax, flag.items[0].help) for form in of for flag in form.flags)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].removesuffix('.')}."
