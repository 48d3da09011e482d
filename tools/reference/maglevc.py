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

`maglevc [OPTION]... [COMMAND]...` runs one command. Without a command it is a shell. On a pipe it reads one command per
line: it runs none of them if one is wrong, and stops at the first that fails. It ignores empty lines and lines that
begin with `#`.

- You can abbreviate a word if it stays unambiguous: `sh ba` is `show backends`, `sh ba x` is `show backend x`. Write
  `recreate` and `prune` in full: a frontend's name could begin in the same way.
- Type `?` in place of a word or after its beginning to list the possible words, on a pipe too. TAB in the shell
  completes words and existing names. Ctrl-C clears the line or ends a command; Ctrl-D leaves the shell. The history is
  in `~/.local/state/maglevc/history`.
- Quotes make any text a value, in the shell and on a pipe: `show backend "?"`, `sync vpp lb state "dry-run"` for a
  frontend of that name. On a command line, protect the quotes from your shell: `maglevc sync vpp lb state "'dry-run'"`.
- An error is one line on standard error.
- `--output json` prints the message of the API, with the names of its fields. 64-bit numbers are strings, as in all
  JSON made of protocol buffers. `watch events` always prints JSON.
- If the terminal is too narrow for a table, its cells are wrapped.

## Options

You can write each option with one dash too (`-server`, `-color=false`).

"""

_COMPLETION = """

## Completion

The Debian packages complete all four commands in bash, zsh and fish. Wheels put the same files below `share/` of the
environment that they are installed in, beside the manual pages: `man -M .venv/share/man maglevc`. If your shell does
not look there, put `source <(maglevc --completion bash)` into `~/.bashrc`, the same with `zsh` into `~/.zshrc` (after
`compinit`), or `maglevc --completion fish | source` into `~/.config/fish/config.fish`. `maglevd`, `maglevt` and
`maglevd-frontend` have the same option.

The completion gets names from the maglevd that the command line names, and waits for them at most one second.

## Exit status

| status | meaning |
|---|---|
| 0 | success |
| 1 | an error, a change that could not be written to the dataplane, or a problem that `config check` found |
| 2 | a wrong command or option; nothing was sent to maglevd |
| 130 | ended by Ctrl-C |
| 141 | the reader of the output closed it |
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
