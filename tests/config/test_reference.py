"""The reference page says what the options say."""

from __future__ import annotations

from maglev.config import PluginSet
from tests.config.fakes import ALL
from tools.reference.configuration import reference


def test_every_option_is_listed_with_its_flag_and_default() -> None:
    text = reference(ALL)
    assert (
        "| `transition-history` | whole number | `5` | How many transitions to keep per backend. Allowed: 1 to 10000. |"
        in text
    )
    assert "`--grpc-addr`" in text
    assert "`MAGLEV_GRPC_ADDR`" in text
    assert "A change needs a restart." in text
    assert "| `type` | string | required |" in text
    assert "| `interval` | duration | `2s` |" in text


def test_every_core_option_has_help() -> None:
    assert "| . |" not in reference(PluginSet())
