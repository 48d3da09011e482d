"""Builds the tree of a package: a virtual environment for Debian's python3 that is complete and byte-compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from tools.debian import roots
from tools.debian.contents import ARCHITECTURES, MACHINES, Package, Release, platform, system_packages

ROOT = Path(__file__).resolve().parents[2]

# An administrator's plugins go to a place that no package owns. A path that does not exist is left out.
_PLUGINS = "/usr/local/lib/{name}/site-packages\n"
# -I: whatever the environment and the working directory say, only what was installed is run. A process that maglevd
# starts to work for it runs this file too, under another name.
_SCRIPT = """\
#!/{tree}/bin/python3 -I
import sys

from {module} import {function}

if __name__ == "__main__":
    sys.exit({function}())
"""


def site_packages(stage: Path, package: Package, release: Release) -> Path:
    """Return where the distributions of a package lie."""
    return stage / package.tree / f"lib/python{release.python}/site-packages"


def build(stage: Path, package: Package, architecture: str, release: Release, wheels: Path, made_s: int) -> set[str]:
    """Build the tree below a stage.

    Args:
        stage: The package's own folder, which stands for `/`.
        package: Whose tree.
        architecture: Debian's name of it.
        release: The release of Debian that the package is for.
        wheels: Folder with the wheels of this repository.
        made_s: The time that all files get, seconds since 1970.

    Returns:
        The packages of Debian that the shared objects need.

    Raises:
        LookupError: A shared object is for another architecture, or needs what neither package nor system has.
        subprocess.CalledProcessError: A program that was run failed; it has said why.
    """
    site = site_packages(stage, package, release)
    _install(site, package, architecture, release, wheels)
    _lay_out(stage, site, package, release)
    needed = _check_objects(site, architecture)
    _set_times(stage, made_s)
    _compile(site, release)
    _set_times(stage, made_s)
    return needed


def _install(site: Path, package: Package, architecture: str, release: Release, wheels: Path) -> None:
    """Unpack wheels for a platform, which need not be that of this machine; nothing of them is run."""
    wanted = [_requirement(wheel, wheels) for wheel in package.wheels]
    place = ["--target", str(site), "--python-version", release.python, "--link-mode", "copy"]
    only = ["--python-platform", platform(architecture, release), "--only-binary", ":all:", "--no-config"]
    uv = [str(ROOT / ".venv/bin/uv"), "pip", "install", "--quiet", "--python", str(ROOT / ".venv/bin/python")]
    subprocess.run([*uv, *place, *only, "--constraints", "constraints.txt", *wanted], cwd=ROOT, check=True)


def _requirement(wheel: str, wheels: Path) -> str:
    """Name a wheel by its file, so that no index is asked for it."""
    file_name = wheel.partition("[")[0].replace("-", "_")
    (file,) = wheels.glob(f"{file_name}-[0-9]*.whl")
    return f"{wheel} @ {file.resolve().as_uri()}"


def _lay_out(stage: Path, site: Path, package: Package, release: Release) -> None:
    """Make a virtual environment around what was installed, and leave nothing of this machine in it."""
    tree = stage / package.tree
    for surplus in ("bin", "share"):
        shutil.rmtree(site / surplus, ignore_errors=True)
    for trace in ("direct_url.json", "REQUESTED", "uv_cache.json", "uv_build.json"):
        for file in site.glob(f"*.dist-info/{trace}"):
            file.unlink()
    for path in site.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # some wheels say of all their files that they can be run
    (site / ".lock").unlink()  # uv's
    (tree / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {release.python}\n", "utf-8"
    )
    (site / "plugins.pth").write_text(_PLUGINS.format(name=package.name), "utf-8")
    (tree / "bin").mkdir()
    (tree / "bin/python3").symlink_to(f"/usr/bin/python{release.python}")
    _write_commands(stage, site, package)


def _write_commands(stage: Path, site: Path, package: Package) -> None:
    scripts = {
        point.name: point for found in inside(site) for point in found.entry_points.select(group="console_scripts")
    }
    for name, folder in package.commands.items():
        point = scripts[name]
        script = stage / package.tree / "bin" / name
        script.write_text(_SCRIPT.format(tree=package.tree, module=point.module, function=point.attr), "utf-8")
        script.chmod(0o755)
        (stage / folder).mkdir(parents=True, exist_ok=True)
        (stage / folder / name).symlink_to(os.path.relpath(script, stage / folder))


def inside(site: Path) -> list[Distribution]:
    """Return the distributions that lie in a folder, by name."""
    return sorted(distributions(path=[str(site)]), key=lambda found: found.name.lower())


def shared_objects(site: Path) -> list[Path]:
    """Return the shared objects in a folder."""
    return sorted(path for path in site.rglob("*") if ".so" in path.suffixes and path.is_file())


def _check_objects(site: Path, architecture: str) -> set[str]:
    found = shared_objects(site)
    for path, kind in zip(found, _output("file", "--brief", *map(str, found)).splitlines(), strict=True):
        if MACHINES[architecture] not in kind:
            raise LookupError(f"{path.relative_to(site)} is not for {ARCHITECTURES[architecture]}: {kind}")
    own = {path.name for path in found}
    return system_packages(name for path in found for name in _needed(path) if name not in own)


def _needed(path: Path) -> Iterator[str]:
    """Yield the libraries that a shared object names. readelf reads those of every architecture."""
    for line in _output("readelf", "--dynamic", "--wide", str(path)).splitlines():
        if "(NEEDED)" in line:
            yield line.rpartition("[")[2].rstrip("]")


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _compile(site: Path, release: Release) -> None:
    """Byte-compile with the Python that will run it: this machine's, or that of a root of the release."""
    place = str(site)[str(site).index("/usr/lib/") :]  # tracebacks show where it lies when installed
    python = Path(f"/usr/bin/python{release.python}")
    command = [str(python), "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "timestamp", "-p", place]
    if python.exists():
        subprocess.run([*command, "-s", str(site), str(site)], check=True)
    else:
        roots.run_on(release.codename, site, [*command, "-s", roots.MOUNTED, roots.MOUNTED])


def _set_times(stage: Path, made_s: int) -> None:
    """Give all that was staged one time: bytecode names that of its source, and packages come out alike each time."""
    for path in [*stage.rglob("*"), stage]:
        os.utime(path, (made_s, made_s), follow_symlinks=False)
