"""Speaks with bash, zsh and fish about completion, as click does and knowing a little more of each."""

from __future__ import annotations

import os
import re
import shlex
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

_ONE_DASH = re.compile(r"^-(?=\w\w)")
_WITH_VALUE = re.compile(r"-[^=]*=")


class _OneDash(ShellComplete):
    """Knows options with one dash too, and offers words as the one that was begun: shells compare them with it."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        words = [_ONE_DASH.sub("--", word) for word in (*args, incomplete)]
        found = super().get_completions(words[:-1], words[-1])
        option = _WITH_VALUE.match(incomplete)
        for item in found:
            if item.type == "plain" and option:
                item.value = option[0] + item.value
            elif words[-1] != incomplete:
                item.value = item.value.removeprefix("-")
        return found


class _Bash(_OneDash, BashComplete):
    """Puts words together that bash splits at `:` and `=`, and quotes what it would expand."""

    def source(self) -> str:
        return ShellComplete.source(self)  # without asking the bash of this machine for its version

    def get_completion_args(self) -> tuple[list[str], str]:
        words = os.environ["COMP_WORDS"].split("\n")[: int(os.environ["COMP_CWORD"]) + 1]
        joined = re.sub(r"\n?([:=]+)(\n|$)", r"\1", "\n".join(words)).split("\n")
        return joined[1:-1], joined[-1]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        if item.type != "plain":
            return super().format_completion(item)
        _, last = self.get_completion_args()
        done = re.sub(r"[^:=]*$", "", last)  # bash has this part already
        return super().format_completion(CompletionItem(shlex.quote(item.value.removeprefix(done))))


class _Zsh(_OneDash, ZshComplete):
    """Completes a second time too where zsh has loaded the script by itself: that is a function then."""

    source_template = ZshComplete.source_template.replace(
        "$zsh_eval_context[-1] == loadautofunc", '$funcstack[1] == "_%(prog_name)s"'
    )


class _Fish(_OneDash, FishComplete):
    """As click has it."""


def speaking(shell: str, command: click.Command, variable: str) -> ShellComplete:
    """Return what answers a shell for a command.

    Args:
        shell: `bash`, `zsh` or `fish`.
        command: The whole command, with its name.
        variable: In which the shell's script asks.
    """
    made = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}[shell]
    return made(command, {}, str(command.name), variable)
