"""`maglevd state`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maglev.cli.command import command
from maglev.domain.overrides import AdminOverride, OperatorOverrides, WeightOverride
from maglev.library import installed
from maglev.runtime.overrides import FILE, OverrideStore

KEPT = OperatorOverrides(
    {"a": AdminOverride("paused", file_enabled=True)}, {("web", "primary", "b"): WeightOverride(30, 100)}
)


def run(directory: Path | str, *words: str) -> Result:
    plugins = installed({"MAGLEV_LOAD_PLUGINS": ""})
    return CliRunner().invoke(command(plugins), ["--state-dir", str(directory), "state", *words])


def test_show_prints_what_is_kept_and_by_whom_it_is_used(tmp_path: Path) -> None:
    store = OverrideStore(tmp_path, "/etc/maglev.yaml")
    store.save(KEPT)
    assert run(tmp_path, "show").stdout == (
        f"{tmp_path}: not in use\n"
        f"{tmp_path}/{FILE}: 2 overrides\n"
        "backend 'a': paused (the configuration said enabled: true)\n"
        "frontend 'web', pool 'primary', backend 'b': weight 30 (the configuration said 100)\n"
    )
    store.lock()
    try:
        assert "/etc/maglev.yaml" in run(tmp_path, "show").stdout
    finally:
        store.close()


def test_reset_puts_the_file_aside_unless_a_daemon_uses_it(tmp_path: Path) -> None:
    store = OverrideStore(tmp_path, "/etc/maglev.yaml")
    (tmp_path / FILE).write_text("torn")
    shown = run(tmp_path, "show")
    assert shown.exit_code == 1
    assert "or incomplete" in shown.stderr
    store.lock()
    try:
        refused = run(tmp_path, "reset")
        assert refused.exit_code == 1
        assert "used by another maglevd" in refused.stderr
    finally:
        store.close()
    assert run(tmp_path, "reset").exit_code == 0
    assert not (tmp_path / FILE).exists()
    assert [file.read_text() for file in tmp_path.glob(f"{FILE}.*")] == ["torn"]
    assert run(tmp_path, "show").exit_code == 0


@pytest.mark.parametrize("word", ["show", "reset"])
def test_without_a_directory_there_is_nothing_to_do(word: str) -> None:
    result = run("", word)
    assert result.exit_code == 2
    assert "no state directory" in result.stderr
