"""Lines mean one command, or say what is wrong with them: for the real tree, and for any text."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev_cli.forms import FORMS
from maglev_cli.grammar import (
    Argument,
    Form,
    Part,
    Token,
    Word,
    WrongCommand,
    candidates,
    parse,
    quoted,
    split,
    tokens_of,
)

SAMPLES = {"weight": "40", "source": "192.0.2.7", "source-port": "4711", "destination-port": "53", "num": "3"}


def value_for(argument: Argument) -> str:
    return SAMPLES.get(argument.name, f"some-{argument.name}")


def items_of(form: Form, *, least: bool = False) -> list[Word | Argument]:
    """The words and arguments of a form, with or without what may be left out."""
    places = form.words.places[: form.words.least] if least else form.words.places
    return [place[0] for place in places]


def written(form: Form, *, least: bool = False) -> list[str]:
    return [item.text if isinstance(item, Word) else value_for(item) for item in items_of(form, least=least)]


def meaning(line: str) -> tuple[str, dict[str, str]]:
    parsed = parse(FORMS, split(line).all)
    return parsed.action, dict(parsed.values)


def complaint(line: str) -> str:
    with pytest.raises(WrongCommand) as caught:
        parse(FORMS, split(line).all)
    return str(caught.value)


@pytest.mark.parametrize("least", [True, False], ids=["shortest", "longest"])
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.syntax)
def test_every_form_means_its_own_action(form: Form, least: bool) -> None:
    parsed = parse(FORMS, tokens_of(written(form, least=least)))
    wanted = {item.name: value_for(item) for item in items_of(form, least=least) if isinstance(item, Argument)}
    assert (parsed.form, parsed.action, dict(parsed.values)) == (form, form.action, wanted)


@given(form=st.sampled_from(FORMS), data=st.data())
def test_abbreviated_it_means_the_same_or_nothing(form: Form, data: st.DataObject) -> None:
    words = [
        word[: data.draw(st.integers(1, len(word)))] if isinstance(item, Word) else word
        for item, word in zip(items_of(form), written(form), strict=True)
    ]
    try:
        parsed = parse(FORMS, tokens_of(words))
    except WrongCommand:
        return
    full = parse(FORMS, tokens_of(written(form)))
    # `vpp` and `quit` have other names for the same.
    assert (parsed.action, parsed.values) == (full.action, full.values)


@given(form=st.sampled_from([form for form in FORMS if form.flags]), data=st.data())
def test_flags_may_follow_in_any_order_and_each_once(form: Form, data: st.DataObject) -> None:
    flags = data.draw(st.lists(st.sampled_from(form.flags), unique=True))
    extra = [word for flag in flags for word in flag_words(flag)]
    line = written(form, least=data.draw(st.booleans()))
    parsed = parse(FORMS, tokens_of([*line, *extra]))
    assert parsed.action == form.action
    assert all(parsed.has(flag.items[0].name) for flag in flags)
    if flags:
        with pytest.raises(WrongCommand):
            parse(FORMS, tokens_of([*line, *extra, *flag_words(flags[0])]))


def flag_words(flag: Part) -> list[str]:
    items = [place[0] for place in flag.places[: flag.least]]
    return [item.text if isinstance(item, Word) else value_for(item) for item in items]


_NASTY = st.sampled_from(["show", "set", "ba", "backend", "?", "-1", "101", "", "sync", "vpp", "lb", "state", "\x1b"])


@given(words=st.lists(st.text(max_size=8) | _NASTY, max_size=9))
def test_any_words_mean_a_command_or_a_readable_complaint(words: list[str]) -> None:
    told: WrongCommand | None = None
    try:
        assert parse(FORMS, tokens_of(words)).action
    except WrongCommand as wrong:
        told = wrong
    assert told is None or (str(told) and 0 <= told.index <= len(words))


@given(line=st.text(max_size=40))
def test_any_line_can_be_split(line: str) -> None:
    found = split(line)
    assert all(0 <= token.start <= len(line) for token in found.all)


@given(texts=st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=4))
def test_what_is_quoted_comes_back_as_it_was(texts: list[str]) -> None:
    line = " ".join(map(shlex.quote, texts))
    assert [token.text for token in split(line).all] == texts
    assert not split(line).is_open


@pytest.mark.parametrize(
    "line,is_open",
    [('show "a', True), ("show 'a", True), ("show a\\", True), ('show "a"', False), ("show", False)],
)
def test_a_line_tells_whether_a_quote_is_open(line: str, is_open: bool) -> None:
    assert split(line).is_open is is_open


def test_quotes_join_and_escape() -> None:
    assert [token.text for token in split(r"""a"b c"'d' \e "f\"g" """).all] == ["ab cd", "e", 'f"g']


@pytest.mark.parametrize(
    "line,action",
    [
        ("sh ba", "show:backends"),
        ("sh backends", "show:backends"),
        ("sh fr", "show:frontends"),
        ("sh he", "show:healthchecks"),
        ("sh vp lb st", "dataplane:state"),
        ("sh da st", "dataplane:state"),
        ("w e", "watch"),
        ("q", "quit"),
        ("e", "quit"),
        ("con ch", "change:check"),
    ],
)
def test_abbreviations_that_operators_use(line: str, action: str) -> None:
    assert meaning(line) == (action, {})


def test_what_follows_decides_between_one_and_all() -> None:
    assert meaning("sh ba x") == ("show:backend", {"backend": "x"})
    assert meaning("sh fr x") == ("show:frontend", {"frontend": "x"})


def test_a_word_in_full_is_that_word() -> None:
    assert complaint("show backend") == "'show backend' is not complete; next: <backend>"


def test_an_ambiguous_word_names_what_it_could_be() -> None:
    assert complaint("s") == "'s' is ambiguous: set, show or sync"
    assert complaint("s ba") == "'s' is ambiguous: set, show or sync"
    assert complaint("show v") == "'v' is ambiguous: version or vpp"


def test_an_unknown_word_is_named_with_what_was_possible_there() -> None:
    assert complaint("show vpp foo") == "unknown word 'foo' after 'show vpp'; possible: info, lb"
    assert complaint("foo").startswith("unknown word 'foo'; possible: show, set, sync")
    assert complaint("show version x") == "nothing may follow 'show version', but there is 'x'"


@pytest.mark.parametrize("weight", ["101", "-1", "1e1", "٣", "", "ten", "9" * 40])
def test_a_weight_that_is_none_is_refused_with_what_is_allowed(weight: str) -> None:
    told = complaint(f'set frontend f pool p backend b weight "{weight}"')
    assert told.endswith("; possible: <0-100>, reset")
    assert "<0-100>" in told.partition(";")[0]


@pytest.mark.parametrize(
    "line,told",
    [
        ("show flow f 1.2.3", "<source-address> '1.2.3': expected an IPv4 or IPv6 address"),
        ("show flow f 1.2.3.4 65536", "<source-port> '65536': expected a whole number from 0 to 65535"),
        ("watch events num 0", "<n> '0': expected a whole number from 1"),
        ("watch events num", "'watch events num' is not complete; next: <n>"),
        ('show backend ""', "<backend> must not be empty"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(line: str, told: str) -> None:
    assert complaint(line).startswith(told)


def test_a_name_is_never_taken_for_an_abbreviation() -> None:
    assert meaning("sync vpp lb state p") == ("SyncDataplane", {"frontend": "p"})
    assert not parse(FORMS, split("sync vpp lb state p").all).has("prune")
    assert parse(FORMS, split("sync vpp lb state prune").all).has("prune")
    assert parse(FORMS, split("sync vpp lb state p p").all).has("prune")


def test_what_is_quoted_is_never_a_word() -> None:
    assert meaning('sync vpp lb state "prune"') == ("SyncDataplane", {"frontend": "prune"})
    assert complaint('"show" version').startswith("unknown word 'show'")


NAMES = st.sampled_from(["dry-run", "prune", "?", "-h", "two words", "it's", '"', "\\", "#"]) | st.text(
    min_size=1, max_size=8
)


@given(name=NAMES)
def test_any_name_can_be_written_in_a_line_and_on_a_command_line(name: str) -> None:
    wanted = ("SyncDataplane", {"frontend": name})
    assert meaning(f"sync vpp lb state {quoted(name)}") == wanted
    parsed = parse(FORMS, tokens_of(["sync", "vpp", "lb", "state", quoted(name)]))
    assert (parsed.action, dict(parsed.values)) == wanted


@pytest.mark.parametrize("word", ["'", '"a', "it's", "'a' b", "a'b'", "dry-run"])
def test_quotes_that_are_not_around_a_word_of_a_command_line_are_part_of_it(word: str) -> None:
    assert tokens_of([word]) == (Token(word),)


@pytest.mark.parametrize("line", ["show vpp lbstate", "sh vp lbstate", "show vpp lbstate site"])
def test_the_originals_older_words_mean_what_they_meant(line: str) -> None:
    wanted = {"frontend": "site"} if line.endswith("site") else {}
    assert meaning(line) == ("dataplane:state", wanted)
    _, _, rest = line.partition(" ")
    assert meaning(f"sync {rest}") == ("SyncDataplane", wanted)


def test_older_words_are_neither_offered_nor_abbreviated() -> None:
    assert complaint("show vpp l") == "'show vpp l' is not complete; next: state, counters"
    assert complaint("show vpp lbs") == "unknown word 'lbs' after 'show vpp'; possible: info, lb"
    assert [each.text for each in candidates(FORMS, split("show vpp l"))] == ["lb"]
    assert [each.text for each in candidates(FORMS, split("sync vpp lbstate r"))] == ["recreate"]


def test_every_word_has_help() -> None:
    parts = [part for form in FORMS for part in (form.words, *form.flags)]
    assert [item.label for part in parts for item in part.items if not item.help] == []


def test_syntax_shows_flags_with_what_belongs_to_them() -> None:
    watch = next(form for form in FORMS if form.action == "watch")
    assert "log [level debug|info|warning|error|critical]" in {flag.syntax for flag in watch.flags}
    assert "[num <n>]" in watch.syntax


def test_an_empty_line_is_not_complete() -> None:
    with pytest.raises(WrongCommand, match="'' is not complete; next: show, set"):
        parse(FORMS, ())


def test_a_token_knows_where_it_begins() -> None:
    assert split("show  ba").all == (Token("show", start=0), Token("ba", start=6))
