"""Laws: no text makes an import fail, whatever is printed is valid, and each import prints the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maglev.config import load_text
from maglev.library import installed
from maglev.migrate import Format, Outside, detect, import_text

HERE = Path(__file__).parent
PLUGINS = installed()
SAMPLES: dict[Format, str] = {
    "keepalived": (HERE / "keepalived.conf").read_text(),
    # Without authorities: to load those of the system takes longer than all the rest.
    "haproxy": (HERE / "haproxy.cfg").read_text().replace("verify required ca-file inside.pem", "verify none"),
}
ODD = (
    *"{}\"'\\#!$([\0\ud800\u2028\x1b\n é日",
    *("${", "~SEQ(A,1,3) ", "~LST(", "@x ", ".if ", ".endif\n", "-1", "99999999999", "1e3", "::", "fe80::1", "0.0.0.0"),
    *("256", "%[src]", "check", "include x\n", "option httpchk ", "http-check expect ", "tcp-check expect binary "),
    *("weight ", "real_server ", "virtual_server ", "server ", "bind ", "yes", "null", ": ", "- ", "*a", "&a", "(?P<"),
    *("198.51.100.1", "port ", "ssl ", "ca-file ", "host ", "digest "),
)
HEADS: dict[Format, str] = {
    "keepalived": "virtual_server 203.0.113.1 80 {\n",
    "haproxy": "listen x\nbind 203.0.113.1:80\n",
}


@st.composite
def mutated(draw: st.DrawFn, sample: str) -> str:
    """A sample with pieces cut out, doubled, moved and put in."""
    text = sample
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 60)))
        match draw(st.sampled_from(("cut", "double", "move", "put", "text"))):
            case "cut":
                text = text[:at] + text[end:]
            case "double":
                text = text[:end] + text[at:]
            case "move":
                text = text[:at] + text[end:] + text[at:end]
            case "put":
                text = text[:at] + draw(st.sampled_from(ODD)) + text[at:]
            case _:
                text = text[:at] + draw(st.text(max_size=20)) + text[end:]
    return text


def printed(source: Format, text: str) -> str:
    """Import a text, and check what is printed."""
    include = lambda *_: [("other", text)]  # noqa: E731 - the worst that a file can include is itself
    made = import_text([("the.conf", text)], source, PLUGINS, Outside(config_id="x", include=include))
    for finding in made.findings:
        assert str(finding).isprintable()
    config = load_text(made.text.encode(), PLUGINS).config
    assert (len(config.frontends), len(config.backends), len(config.healthchecks)) == (
        made.frontends, made.backends, made.healthchecks
    )  # fmt: skip
    return made.text


@pytest.mark.parametrize("source", SAMPLES)
@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_any_mutation_of_a_sample_gives_a_valid_configuration(source: Format, data: st.DataObject) -> None:
    printed(source, data.draw(mutated(SAMPLES[source])))


@pytest.mark.parametrize("source", SAMPLES)
@settings(max_examples=settings().max_examples // 2)
@given(pieces=st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=30)), max_size=40))
def test_any_text_gives_a_valid_configuration(source: Format, pieces: list[str]) -> None:
    printed(source, "".join(pieces))
    printed(source, HEADS[source] + " ".join(pieces))


@pytest.mark.parametrize("source", SAMPLES)
def test_an_import_prints_the_same_each_time(source: Format) -> None:
    assert printed(source, SAMPLES[source]) == printed(source, SAMPLES[source])


@pytest.mark.parametrize("source", SAMPLES)
def test_each_format_is_known_by_its_words(source: Format) -> None:
    assert detect(SAMPLES[source]) == source


@pytest.mark.parametrize("text", ["", "maglev: {}", "server { listen 80; }", "global_defs {\n}\nlisten a\n"])
def test_what_is_neither_or_both_is_not_guessed(text: str) -> None:
    assert detect(text) is None
