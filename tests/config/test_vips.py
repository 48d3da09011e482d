"""A client reads the VIPs of a configuration without any plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from maglev.config import ConfigError, load_vips

GOOD = """
maglev:
  dataplane: vpp
  vpp: {unknown-here: 1, lb: {startup-min-delay: 9s, startup-max-delay: 1s}}
  exporters: {grpc: {cert: /not/on/this/machine}}
  healthchecks:
    web: {type: http, port: 80, params: {host: www.example.org, anything: [1]}}
  backends:
    nginx0: {address: 192.0.2.10, healthcheck: web}
  frontends:
    web-v4: {address: 203.0.113.80, protocol: tcp, port: 80, pools: [{name: a, backends: {nginx0: {}}}]}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "maglev.yaml"
    path.write_text(text, "utf-8")
    return path


def test_what_belongs_to_plugins_is_neither_needed_nor_judged(tmp_path: Path) -> None:
    config = load_vips(write(tmp_path, GOOD))
    assert list(config.frontends) == ["web-v4"]
    assert config.frontends["web-v4"].port == 80
    assert config.backends["nginx0"].healthcheck == "web"
    assert config.healthchecks["web"].params == {"host": "www.example.org", "anything": [1]}


@pytest.mark.parametrize(
    "old,new,place,words",
    [
        ("203.0.113.80", "203.0.113", "11:", "frontends.web-v4.address"),
        ("nginx0: {}", "nginx9: {}", "11:", "there is no backend 'nginx9'"),
        ("healthcheck: web}", "healthcheck: wed}", "9:", "there is no health check 'wed'"),
        ("port: 80, params", "port: 0, params", "7:", "healthchecks.web.port"),
        ("port: 80, pools", "prot: 80, pools", "11:", "unknown key 'prot'"),
        ("maglev:", "maglevd:", "2:", "unknown key 'maglevd'"),
    ],
)
def test_what_concerns_clients_is_judged_with_its_place(
    tmp_path: Path, old: str, new: str, place: str, words: str
) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_vips(path)
    assert f"{path}:{place}" in str(caught.value)
    assert words in str(caught.value)


def test_file_that_is_not_there_or_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_vips(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError):
        load_vips(write(tmp_path, "maglev: [}"))
