"""The screen, without a terminal: what is drawn, and what keys do."""

from __future__ import annotations

from functools import partial

import anyio
import anyio.lowlevel
import pytest
from rich.text import Text
from textual.app import App
from textual.widgets import Input

from maglev_tester.outcome import ErrorClass, Outcome
from maglev_tester.results import Results
from maglev_tester.screen.app import VipsApp
from maglev_tester.screen.bars import DRAINED, FRESH, bar, clipped, short, sparkline, tail, tally
from maglev_tester.screen.dialogs import Sheet
from maglev_tester.screen.rows import WIDE, heading, lines_per_vip, row
from maglev_tester.screen.sorting import COLUMNS, View
from maglev_tester.screen.table import VipTable
from maglev_tester.settings import ProbeSettings
from maglev_tester.tally import Entry
from maglev_tester.vips import Kind, Vip

MS = 1_000_000
VIPS = tuple(Vip(name, "192.0.2.80", 80 + position, Kind.HTTP) for position, name in enumerate(("web", "api", "smtp")))


class Said:
    """Remembers what the probing process was told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    async def __call__(self, word: str) -> None:
        self.words.append(word)


@pytest.fixture
def results() -> Results:
    results = Results(ProbeSettings(VIPS))
    start_ns = results.now_ns
    for number in range(50):
        at_ns = start_ns + number
        results.add(0, Outcome(at_ns, at_ns + 2 * MS, "200", who=f"nginx{number % 3}", answered=True))
        results.add(1, Outcome(at_ns, at_ns + 9 * MS, "200", who="nginx0", answered=True))
        results.add(2, Outcome(at_ns, at_ns + MS, "refused", ErrorClass.NET, "connection refused"))
    return results


def names(view: View, results: Results) -> list[str]:
    return [vip.name for vip, _ in view.shown(results)]


def styles_of(text: Text, part: str) -> set[str]:
    start = text.plain.index(part)
    return {str(span.style) for span in text.spans if span.start <= start < span.end}


def test_vips_are_sorted_by_name_or_the_worst_first(results: Results) -> None:
    assert names(View(), results) == ["api", "smtp", "web"]
    assert names(View(reverse=True), results) == ["web", "smtp", "api"]
    assert names(View("fail"), results)[0] == "smtp"
    assert names(View("ok%"), results)[0] == "smtp"
    assert names(View("p99"), results) == ["api", "web", "smtp"]
    assert names(View("p99", reverse=True), results)[0] == "smtp"


def test_sort_key_goes_through_all_columns_and_round() -> None:
    view, seen = View(), []
    for _ in COLUMNS:
        seen.append(view.column)
        view = view.next_column()
    assert tuple(seen) == COLUMNS
    assert view == View()


@pytest.mark.parametrize("width", [80, 100, WIDE - 1, WIDE, 200, 300])
def test_lines_are_exactly_as_wide_as_the_terminal_at_most(results: Results, width: int) -> None:
    assert heading(View("fail"), width).cell_len <= width
    for shown in View().shown(results):
        for line in range(lines_per_vip(width)):
            assert row(shown, line, width, results.now_ns).cell_len <= width


def test_three_servers_have_room_at_80_columns(results: Results) -> None:
    web = View().shown(results)[2]
    line = row(web, 1, 80, results.now_ns).plain
    assert all(name in line for name in ("nginx0", "nginx1", "nginx2"))


def test_fresh_is_white_and_drained_is_grey() -> None:
    text = tally([Entry("a", 5, 0, fresh=True), Entry("b", 5, 0, fresh=False)], 60)
    assert styles_of(text, "a") == {FRESH}
    assert styles_of(text, "b") == {DRAINED}


def test_where_there_is_no_room_the_drained_are_hidden_first() -> None:
    entries = [Entry(f"server{number}", 10 - number, 0, fresh=number != 1) for number in range(6)]
    text = tally(entries, 40)
    assert text.cell_len == 40
    assert "server1" not in text.plain
    assert "+3" in text.plain


def test_bars_and_sparklines() -> None:
    assert [bar(share, 4) for share in (0, 0.001, 0.5, 1)] == ["    ", "▏   ", "██  ", "████"]
    assert sparkline([1, 8, None], 5).plain == "  ▂█×"
    assert sparkline([], 3).plain == "   "
    assert sparkline([0, 0], 2).plain == "▁▁"
    assert sparkline(list(range(100)), 10).cell_len == 10


def test_words_are_made_to_fit() -> None:
    assert (clipped("abcdef", 4), clipped("ab", 4)) == ("abc…", "ab  ")
    assert tail("[2001:db8::80]:443", 8) == "…80]:443"
    assert [short(count, 4) for count in (9999, 10_000, 9_999_999)] == ["9999", "10k", "9M"]


def drawn(app: App[None]) -> str:
    """The text on the screen."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    assert len(lines) == height
    assert all(line.cell_length == width for line in lines)
    return "\n".join(line.text for line in lines)


@pytest.mark.parametrize("size", [(80, 24), (120, 30), (200, 50)])
async def test_all_is_on_the_screen(results: Results, size: tuple[int, int]) -> None:
    app = VipsApp(results, Said())
    async with app.run_test(size=size) as pilot:
        while "q Quit" not in (text := drawn(app)):  # the bar of keys comes last
            await pilot.pause()
    for words in (
        results.host,
        "3 VIPs",
        "every 100ms",
        "VIP▲",
        "web",
        "nginx2",
        "refused",
        "×50",
        "timeout 0",
        "q Quit",
    ):
        assert words in text


async def test_small_terminal_says_what_it_needs_and_recovers(results: Results) -> None:
    app = VipsApp(results, Said())
    async with app.run_test(size=(79, 24)) as pilot:
        await pilot.pause()
        assert "79×24 is too small: maglevt needs 80×24." in drawn(app)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "nginx2" in drawn(app)
        await pilot.resize_terminal(20, 5)
        await pilot.press("q")
    assert app.return_code == 0


async def test_drawing_while_the_screen_is_taken_down_is_no_error(results: Results) -> None:
    app = VipsApp(results, Said())
    async with app.run_test(size=(80, 24)) as pilot:
        await app.query("#all").remove()
        app.draw()
        await pilot.press("q")
    assert app.return_code == 0


async def test_pause_tells_the_probing_process_and_shows(results: Results) -> None:
    said = Said()
    app = VipsApp(results, said)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("p")
        assert "PAUSED" in drawn(app)
        await pilot.press("p")
        assert "PAUSED" not in drawn(app)
    assert said.words == ["pause", "resume"]


async def test_reset_forgets(results: Results) -> None:
    app = VipsApp(results, Said())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        await pilot.pause()
        assert "nginx2" not in drawn(app)
    assert results.records[0].count == 0


async def test_sort_and_reverse_move_rows(results: Results) -> None:
    app = VipsApp(results, Said())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s", "s")
        await pilot.pause()
        text = drawn(app)
        assert "FAIL▼" in text
        assert text.index("smtp ") < text.index("api ")
        await pilot.press("S")
        await pilot.pause()
        assert "FAIL▲" in drawn(app)


async def test_filter_shows_what_matches_until_escape(results: Results) -> None:
    app = VipsApp(results, Said())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"web", "enter")
        await pilot.pause()
        text = drawn(app)
        assert "filter web" in text
        assert "api " not in text
        await pilot.press("escape")
        await pilot.pause()
        assert "api " in drawn(app)


async def test_filter_that_is_no_pattern_is_refused_and_one_without_match_says_so(results: Results) -> None:
    app = VipsApp(results, Said())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", "left_square_bracket", "enter")
        await pilot.pause()
        assert app.query_one("#filter", Input).display
        assert app._view.pattern is None
        await pilot.press("escape", "slash")
        app.query_one("#filter", Input).value = ""
        await pilot.press(*"xyz", "enter")
        await pilot.pause()
        assert "no VIP matches the filter" in drawn(app)


async def test_letters_typed_into_the_filter_are_no_commands(results: Results) -> None:
    said = Said()
    app = VipsApp(results, said)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"qprsf")
        assert app.query_one("#filter", Input).value == "qprsf"
    assert said.words == []


@pytest.mark.parametrize("key, words", [("question_mark", "white within 5 seconds"), ("f", "50 failed")])
async def test_sheets_open_and_close(results: Results, key: str, words: str) -> None:
    app = VipsApp(results, Said())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, Sheet)
        assert words in drawn(app)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, Sheet)


async def test_hundreds_of_vips_can_be_scrolled(results: Results) -> None:
    many = Results(
        ProbeSettings(tuple(Vip(f"vip{number:03}", "192.0.2.80", number + 1, Kind.TCP) for number in range(200)))
    )
    app = VipsApp(many, Said())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "vip000" in drawn(app)
        app.query_one(VipTable).scroll_end(animate=False)
        await pilot.pause()
        text = drawn(app)
        assert "vip199" in text
        assert "vip000" not in text


async def test_ctrl_c_leaves(results: Results) -> None:
    app = VipsApp(results, Said())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+c")
    assert app.return_code == 0


async def test_screen_leaves_when_its_time_is_up(results: Results) -> None:
    app = VipsApp(results, Said(), duration_s=0.01)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(app.run_async, headless=True))
        while not app.is_running:
            await anyio.lowlevel.checkpoint()
        app.take(0, Outcome(results.now_ns, results.now_ns, "200"))
    assert app.return_code == 0
