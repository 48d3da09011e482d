"""The keys that the shell has beside those of any line editor: `?` shows help, TAB completes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completion, get_common_complete_suffix
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from maglev_cli.forms import FORMS
from maglev_cli.grammar import Argument, WrongCommand, candidates, next_of, split
from maglev_cli.help import next_view
from maglev_cli.names import Names
from maglev_cli.render import Output
from maglev_cli.views.model import Cell, Fields, Style, View, text_line
from maglev_grpc.client import ClientError

PROMPT = "maglevc> "


def key_bindings(names: Names, output: Output) -> KeyBindings:
    """Make the bindings."""
    bindings = KeyBindings()

    @bindings.add("?")
    def _help(event: KeyPressEvent) -> None:
        text = event.current_buffer.document.text_before_cursor
        if split(text).is_open:  # a question mark inside quotes is one
            event.current_buffer.insert_text("?")
        else:
            _show(event, output, f"{text}?", _help_view(text))

    @bindings.add("tab")
    def _complete(event: KeyPressEvent) -> Any:
        text = event.current_buffer.document.text_before_cursor
        if names.are_missing(_arguments(text)):
            return _fetch_and_complete(event, text)
        _complete_or_show(event, text)
        return None

    async def _fetch_and_complete(event: KeyPressEvent, text: str) -> None:
        why, arguments = "no answer in time", _arguments(text)
        try:
            await names.fetch(arguments)
        except ClientError as error:
            why = str(error)
        missing = names.are_missing(arguments)
        if event.current_buffer.document.text_before_cursor == text:  # else it was written on meanwhile
            _complete_or_show(event, text, (text_line(f"names are not known: {why}", Style.ERROR),) if missing else ())

    def _complete_or_show(event: KeyPressEvent, text: str, complaint: View = ()) -> None:
        found = completions(text, names)
        if not complete(event.current_buffer, found):
            choices = tuple((each.display_text, Cell(each.display_meta_text)) for each in found)
            _show(event, output, text, (*((Fields(choices),) if choices else _help_view(text)), *complaint))

    return bindings


def completions(text: str, names: Names) -> list[Completion]:
    """Return what can follow a line, with the known names."""
    line = split(text)
    try:
        found = candidates(FORMS, line, names.known)
    except WrongCommand:
        return []
    start = line.partial.start - len(text)
    shown = ((each, each.written if each.is_quoted else each.text) for each in found)
    return [Completion(f"{each.written} ", start, display, each.help) for each, display in shown]


def complete(buffer: Buffer, found: Sequence[Completion]) -> bool:
    """Write the only completion, or what all of them begin with; returns whether there was any such thing."""
    if len(found) == 1:
        buffer.delete_before_cursor(-found[0].start_position)
        buffer.insert_text(found[0].text)
        return True
    common = get_common_complete_suffix(buffer.document, found)
    buffer.insert_text(common)
    return bool(common)


def _arguments(text: str) -> tuple[Argument, ...]:
    try:
        return next_of(FORMS, split(text)).arguments
    except WrongCommand:
        return ()


def _help_view(text: str) -> View:
    try:
        return next_view(split(text))
    except WrongCommand as wrong:
        return (text_line(str(wrong), Style.ERROR),)


def _show(event: KeyPressEvent, output: Output, text: str, view: View) -> None:
    """Show something above the prompt, under the line that it is about; the line stays as it is."""

    def show() -> None:
        output.show((text_line(f"{PROMPT}{text}"),))
        output.show(view)

    async def showing() -> None:
        await run_in_terminal(show)

    _task = event.app.create_background_task(showing())  # the application waits for it
