"""The keys that a shell of commands has beside those of any line editor: `?` and TAB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from maglev_cli.grammar import Argument, Split, WrongCommand, follow, offers, split
from maglev_cli.help import follow_view
from maglev_cli.names import Names
from maglev_cli.render import Output
from maglev_cli.shell.completing import Completion, complete
from maglev_cli.tree import ROOT
from maglev_cli.views.model import Tone, View, line
from maglev_grpc.client import ClientError

PROMPT = "maglevc> "


def key_bindings(names: Names, output: Output) -> KeyBindings:
    """Make the bindings.

    Args:
        names: The live names.
        output: Where help goes.
    """
    bindings = KeyBindings()

    @bindings.add("?")
    def _help(event: KeyPressEvent) -> None:
        text = event.current_buffer.document.text_before_cursor
        written = split(text)
        if written.is_open:  # a question mark inside quotes is one
            event.current_buffer.insert_text("?")
        else:
            _show(event, output, f"{text}?", _help_view(written))

    @bindings.add("tab")
    def _complete(event: KeyPressEvent) -> Any:
        text = event.current_buffer.document.text_before_cursor
        wanted = names.lacking(_arguments(text))
        if not wanted:
            _do(event, output, text, _completion(names, text))
            return None
        return _complete_later(event, text, wanted)

    async def _complete_later(event: KeyPressEvent, text: str, wanted: Sequence[Argument]) -> None:
        why = "no answer in time"
        try:
            await names.fetch(wanted)
        except ClientError as error:
            why = str(error)
        complaint = (line(f"names are not known: {why}", Tone.BAD),) if names.lacking(wanted) else ()
        if event.current_buffer.document.text_before_cursor == text:  # else it was written on meanwhile
            _do(event, output, text, _completion(names, text), complaint)

    return bindings


def _do(event: KeyPressEvent, output: Output, text: str, done: Completion, complaint: View = ()) -> None:
    """Carry out what TAB does."""
    if done.replacement is not None:
        event.current_buffer.delete_before_cursor(len(text) - split(text).partial.start)
        event.current_buffer.insert_text(done.replacement)
    else:
        _show(event, output, text, (*(done.view if done.choices else _help_view(split(text))), *complaint))


def _arguments(text: str) -> tuple[Argument, ...]:
    try:
        return tuple(argument for argument, _ in follow(ROOT, split(text)).arguments)
    except WrongCommand:
        return ()


def _completion(names: Names, text: str) -> Completion:
    written = split(text)
    try:
        return complete(written, offers(ROOT, written, names.known))
    except WrongCommand:
        return Completion()


def _help_view(written: Split) -> View:
    try:
        return follow_view(ROOT, written)
    except WrongCommand as wrong:
        return (line(str(wrong), Tone.BAD),)


def _show(event: KeyPressEvent, output: Output, text: str, view: View) -> None:
    """Show something above the prompt, under what was asked; the line stays as it is."""

    def show() -> None:
        output.show((line(f"{PROMPT}{text}"),))
        output.show(view)

    async def showing() -> None:
        await run_in_terminal(show)

    _task = event.app.create_background_task(showing())  # the application waits for it
