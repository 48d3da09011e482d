"""Completion for bash, zsh and fish: the scripts, and the answers that they ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import click

from maglev_cli.grammar import Argument, Offer, Split, Token, WrongCommand, follow, offers, tokens_of
from maglev_cli.options import Invocation
from maglev_cli.tree import ROOT

# Each asks `maglevc --complete <words…>`, the last one being what is written so far, and gets lines `word<TAB>help`.
_SCRIPTS: Mapping[str, str] = {
    "bash": r"""_maglevc() {
    local rest="${COMP_LINE:0:COMP_POINT}" trimmed line name index words=()
    # Bash splits words at colons and equals signs too: those that no blank separates belong together.
    for ((index = 0; index <= COMP_CWORD; index++)); do
        trimmed="${rest#"${rest%%[![:space:]]*}"}"
        ((index == COMP_CWORD)) && name="$trimmed" || name="${COMP_WORDS[index]}"
        if [[ $index == 0 || "$trimmed" != "$rest" ]]; then
            words+=("$name")
        else
            words[-1]+="$name"
        fi
        rest="${trimmed#"$name"}"
    done
    local last="${words[-1]}" word="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    while IFS= read -r line; do
        name="${line%%$'\t'*}"
        [[ "$last" == *[:=]* && "$word" != "$last" ]] && name="${name#"${last%[:=]*}"[:=]}"
        printf -v name %q "$name"
        COMPREPLY+=("$name")
    done < <("${words[0]}" --complete "${words[@]:1}" 2>/dev/null)
}
complete -F _maglevc maglevc
""",
    "zsh": r"""#compdef maglevc
_maglevc() {
    local line
    local -a found
    for line in ${(f)"$(${words[1]} --complete "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)"}; do
        found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    _describe command found
}
if [ "${funcstack[1]}" = _maglevc ]; then
    _maglevc "$@"
else
    compdef _maglevc maglevc
fi
""",
    "fish": r"""function __maglevc_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    $words[1] --complete $words[2..-1] (commandline --current-token --cut-at-cursor) 2>/dev/null
end
complete --command maglevc --no-files --arguments '(__maglevc_complete)'
""",
}


def script(shell: str) -> str:
    """What a shell needs to complete the commands of `maglevc`.

    Args:
        shell: `bash`, `zsh` or `fish`.
    """
    return _SCRIPTS[shell]


def answer(words: Sequence[str]) -> int:
    """Print what the last word can become, one `word<TAB>help` a line; without names if maglevd does not tell them.

    Args:
        words: The command line up to the cursor, without the program's name.
    """
    for offer in candidates(words):
        click.echo(f"{offer.text}\t{offer.help}")
    return 0


def candidates(words: Sequence[str]) -> tuple[Offer, ...]:
    """What the last of some words can become."""
    *before, partial = words or [""]
    from maglev_cli.command import command  # noqa: PLC0415  (it imports this)

    made = command()
    if partial.startswith("-"):
        return _options(made, partial)
    taker = _taker(made, before)
    if taker is not None:
        choices = taker.type.choices if isinstance(taker.type, click.Choice) else ()
        return tuple(Offer(choice, taker.help or "") for choice in choices if choice.startswith(partial))
    try:
        context = made.make_context("maglevc", list(before), resilient_parsing=True)
        invocation = Invocation.parsed({**context.params, "words": context.params.get("words") or ()})
        return _commands(invocation, Split(tokens_of(invocation.words), Token(partial)))
    except (click.ClickException, WrongCommand):
        return ()


def _options(made: click.Command, partial: str) -> tuple[Offer, ...]:
    options = (parameter for parameter in made.params if isinstance(parameter, click.Option))
    return tuple(
        Offer(name, option.help or "")
        for option in options
        for name in (*option.opts, *option.secondary_opts)
        if name.startswith(partial)
    )


def _taker(made: click.Command, before: Sequence[str]) -> click.Option | None:
    """The option whose value comes next, if any."""
    for parameter in made.params:
        if isinstance(parameter, click.Option) and not parameter.is_flag and before:
            spellings = (*parameter.opts, *(name.removeprefix("-") for name in parameter.opts))
            if before[-1] in spellings:
                return parameter
    return None


def _commands(invocation: Invocation, line: Split) -> tuple[Offer, ...]:
    if any(argument.source for argument, _ in follow(ROOT, line).arguments):
        return asyncio.run(_with_names(invocation, line))
    return offers(ROOT, line, _none)


def _none(_argument: Argument, _values: Mapping[str, str]) -> tuple[str, ...]:
    return ()


async def _with_names(invocation: Invocation, line: Split) -> tuple[Offer, ...]:
    from maglev_cli.names import Names  # noqa: PLC0415  (words alone need no gRPC)
    from maglev_grpc.client import ClientError, connect  # noqa: PLC0415

    try:
        async with connect(invocation.server, invocation.security) as client:
            names = Names(client)
            await names.fetch(argument for argument, _ in follow(ROOT, line).arguments)
            return offers(ROOT, line, names.known)
    except (ClientError, ValueError):
        return offers(ROOT, line, _none)
