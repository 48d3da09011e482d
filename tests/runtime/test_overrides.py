"""Changes by commands are kept over restarts, whole or not at all, until the file changes the same key."""

from __future__ import annotations

import json
import os
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maglev.api import Encap, IPProtocol, VipAttributes, VipKey
from maglev.domain.model import Backend, Frontend, Member, Pool, ResolvedConfig
from maglev.domain.overrides import AdminOverride, OperatorOverrides, WeightOverride
from maglev.runtime.overrides import OverrideStore, StateError

WEIGHT = ("web", "primary", "a")


def weight_entry(weight: str) -> str:
    key = '"frontend": "f", "pool": "p", "backend": "b"'
    return f'{{"format": 1, "backends": {{}}, "weights": [{{{key}, "weight": {weight}, "file_weight": 1}}]}}'


names = st.text(min_size=1, max_size=8)
weights = st.integers(0, 100)
overrides = st.builds(
    OperatorOverrides,
    st.dictionaries(
        names, st.builds(AdminOverride, st.sampled_from(["paused", "disabled", "enabled"]), st.booleans()), max_size=4
    ),
    st.dictionaries(st.tuples(names, names, names), st.builds(WeightOverride, weights, weights), max_size=4),
)


@given(kept=overrides)
def test_what_is_saved_is_loaded(kept: OperatorOverrides, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("state")
    OverrideStore(directory).save(kept)
    assert OverrideStore(directory).load() == kept


def test_a_state_directory_that_is_not_there_is_made(tmp_path: Path) -> None:
    store = OverrideStore(tmp_path / "deep" / "down")
    assert store.load() == OperatorOverrides()
    store.save(OperatorOverrides({"a": AdminOverride("paused", file_enabled=True)}))
    assert "a" in store.load().admin


def test_without_a_state_directory_nothing_is_kept() -> None:
    store = OverrideStore(None)
    store.save(OperatorOverrides({"a": AdminOverride("paused", file_enabled=True)}))
    assert store.load() == OperatorOverrides()


def test_saving_leaves_one_file_and_nothing_beside_it(tmp_path: Path) -> None:
    store = OverrideStore(tmp_path)
    store.save(OperatorOverrides())
    store.save(OperatorOverrides(weights={WEIGHT: WeightOverride(0, 100)}))
    assert [file.name for file in tmp_path.iterdir()] == ["overrides.json"]


def test_a_save_that_fails_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = OverrideStore(tmp_path)
    before = OperatorOverrides(weights={WEIGHT: WeightOverride(0, 100)})
    store.save(before)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match=r"overrides.json: cannot be written: No space left"):
        store.save(OperatorOverrides())
    assert store.load() == before
    assert [file.name for file in tmp_path.iterdir()] == ["overrides.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 2, "backends": {}, "weights": []}',
        '{"format": 1, "backends": {"a": {"admin": "gone", "file_enabled": true}}, "weights": []}',
        '{"format": 1, "backends": {"a": {"admin": "paused", "file_enabled": 1}}, "weights": []}',
        '{"format": 1, "backends": {"a": "paused"}, "weights": []}',
        weight_entry("101"),
        weight_entry("true"),
        '{"format": 1, "backends": {}}',
    ],
)
def test_a_file_that_is_not_ours_is_named_and_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "overrides.json"
    file.write_text(text)
    with pytest.raises(StateError, match=str(file)):
        OverrideStore(tmp_path).load()
    assert file.read_text() == text


def test_bytes_that_are_no_text_are_refused_like_the_rest(tmp_path: Path) -> None:
    (tmp_path / "overrides.json").write_bytes(b"\xff\xfe")
    with pytest.raises(StateError, match="not a state file"):
        OverrideStore(tmp_path).load()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "overrides.json").mkdir()
    with pytest.raises(StateError, match=r"overrides.json: cannot be read: Is a directory"):
        OverrideStore(tmp_path).load()


def file(*, enabled: bool, weight: int) -> ResolvedConfig:
    """What a file says of backend `a`, and of its weight in `web`; and of another that nothing was said of."""
    addresses = {name: ip_address(f"192.0.2.{at}") for at, name in enumerate("ab", start=1)}
    members = tuple(Member(name, address, weight, weight) for name, address in addresses.items())
    vip = VipKey(ip_address("203.0.113.1"), IPProtocol.TCP, 80)
    web = Frontend("web", vip, (Pool("primary", members),), VipAttributes(Encap.GRE4, 1024))
    return ResolvedConfig({n: Backend(n, a, enabled) for n, a in addresses.items()}, {"web": web})


def test_an_override_lasts_until_the_file_changes_that_very_key() -> None:
    kept = OperatorOverrides({"a": AdminOverride("disabled", file_enabled=True)}, {WEIGHT: WeightOverride(0, 100)})
    assert kept.against(file(enabled=True, weight=100)) == kept
    assert kept.against(file(enabled=False, weight=100)).admin == {}
    assert kept.against(file(enabled=True, weight=50)).weights == {}


def test_an_override_of_what_left_the_file_is_dropped() -> None:
    kept = OperatorOverrides({"a": AdminOverride("disabled", file_enabled=True)}, {WEIGHT: WeightOverride(0, 100)})
    assert kept.against(ResolvedConfig()) == OperatorOverrides()


def test_an_override_is_set_replaced_and_cleared_without_touching_others() -> None:
    paused, disabled = AdminOverride("paused", file_enabled=True), AdminOverride("disabled", file_enabled=True)
    both = OperatorOverrides().with_admin("a", paused).with_admin("b", paused)
    assert both.with_admin("a", disabled).admin == {"a": disabled, "b": paused}
    assert both.with_admin("a", None).admin == {"b": paused}
    assert both.with_weight(WEIGHT, WeightOverride(1, 2)).with_weight(WEIGHT, None) == both


def test_the_file_can_be_read_by_people(tmp_path: Path) -> None:
    OverrideStore(tmp_path).save(OperatorOverrides({"a": AdminOverride("paused", file_enabled=True)}))
    data = json.loads((tmp_path / "overrides.json").read_text())
    assert data["backends"] == {"a": {"admin": "paused", "file_enabled": True}}
