"""Does what the Dockerfile says without an engine: each step in a root of Debian, and then what compose.yaml starts.

    python -m tools.container build/roots/trixie.tar

An instruction that this does not know is an error, so that none is left out in silence. It cannot show what an engine
adds: layers and their cache, seccomp and AppArmor profiles, and networks between containers. Needs root.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[1]
HOST_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# Only told to a runner of containers, or read by the tests.
_WITHOUT_STEP = ("LABEL", "VOLUME", "EXPOSE")
_CLEAN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How the certificates of the proxy that this machine may be behind are named to pip and npm.
_CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "npm_config_cafile")


@attrs.frozen
class Instruction:
    """One instruction of a Dockerfile.

    Args:
        name: In capitals.
        value: What stands behind it, in one line.
    """

    name: str
    value: str

    @property
    def words(self) -> list[str]:
        """Its words, of either form."""
        if self.value.startswith("["):
            listed: list[str] = json.loads(self.value)
            return listed
        return shlex.split(self.value)


def instructions(text: str) -> Iterator[Instruction]:
    """Take a Dockerfile apart."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", " ", kept).splitlines():
        if line.strip():
            name, _, value = line.strip().partition(" ")
            yield Instruction(name.upper(), value.strip())


@attrs.define
class Stage:
    """One stage of a build.

    Args:
        root: Its root on this machine.
        environment: What ENV said.
        user: Number of user and group, as USER said.
        folder: What WORKDIR said.
        starts: ENTRYPOINT, CMD and HEALTHCHECK.
    """

    root: Path
    environment: dict[str, str] = attrs.field(factory=lambda: {"PATH": _CLEAN_PATH})
    user: str = "0:0"
    folder: str = "/"
    starts: dict[str, list[str]] = attrs.field(factory=dict)

    def run(self, *words: str, build: bool = False, give: Sequence[str] = (), **more: str) -> str:
        """Run a command in it and return what it printed.

        Args:
            words: The command.
            build: Whether it is a step of the build, which may use the network of this machine.
            give: Capabilities that the container was given, as `net_raw`; a step of the build has all.
            more: Its environment beside that of the image.

        Raises:
            RuntimeError: It failed; says what it printed.
        """
        done = subprocess.run(
            self.command(*words, build=build, give=give, **more),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{shlex.join(words)} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def command(self, *words: str, build: bool = False, give: Sequence[str] = (), **more: str) -> list[str]:
        """Return the words that run a command in it, in namespaces of its own; see `run`."""
        environment = {**self.environment, **(build_environment() if build else {}), **more}
        network = [] if build else ["--net"]
        spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", *network]
        mounts = 'mount --make-rprivate / && mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev"'
        mounts += ' && mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"'
        up = "" if build else " && ip link set lo up"
        enter = f'set -e; {mounts}{up}; root=$1 folder=$2; shift 2; cd /; exec chroot "$root" "$@"'
        user, group = self.user.split(":")
        drop = ["--reuid", user, "--regid", group, "--clear-groups"]
        if not build:
            drop += ["--bounding-set", ",".join(["-all", *(f"+{name}" for name in give)]), "--inh-caps=-all"]
        as_user = [
            "setpriv",
            *drop,
            "env",
            "-i",
            f"--chdir={self.folder}",
            *(f"{k}={v}" for k, v in environment.items()),
        ]
        return [*spaces, "sh", "-c", enter, "sh", str(self.root), self.folder, *as_user, *words]


def build_environment() -> Mapping[str, str]:
    """What a step of the build needs to reach the package registries as this machine does."""
    if not Path(HOST_CERTIFICATES).exists():
        return {}
    return dict.fromkeys(_CERTIFICATES, "/etc/ssl/host.crt")


def build(dockerfile: Path, context: Path, tar: Path, place: Path) -> Stage:
    """Carry a Dockerfile out.

    Args:
        dockerfile: To read.
        context: The folder that COPY copies of, without what `.dockerignore` names.
        tar: The root that stands for the base image.
        place: An empty folder for the roots of the stages.

    Returns:
        The last stage.

    Raises:
        RuntimeError: A step failed, or an instruction is not known.
    """
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for number, each in enumerate(instructions(dockerfile.read_text("utf-8"))):
        print(f"--- {each.name} {each.value[:100]}", flush=True)
        if each.name == "FROM":
            name = each.words[2] if len(each.words) > 2 else str(number)
            stages[name] = stage = Stage(_unpacked(tar, place / name))
        elif each.name != "ARG":
            if stage is None:
                raise RuntimeError(f"{each.name} before FROM")
            _carry_out(each, stage, context, stages)
    if stage is None:
        raise RuntimeError(f"{dockerfile} is empty")
    return stage


def _unpacked(tar: Path, root: Path) -> Path:
    root.mkdir()
    subprocess.run(["tar", "-C", root, "--numeric-owner", "--xattrs", "-xf", tar], check=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    if Path(HOST_CERTIFICATES).exists():
        (root / "etc/ssl").mkdir(exist_ok=True)
        shutil.copy(HOST_CERTIFICATES, root / "etc/ssl/host.crt")
    return root


def _carry_out(each: Instruction, stage: Stage, context: Path, stages: Mapping[str, Stage]) -> None:
    if each.name == "RUN":
        stage.run("sh", "-c", each.value, build=True)
    elif each.name == "COPY":
        _copy(each.words, stage, context, stages)
    elif each.name == "ENV":
        stage.environment |= dict(word.split("=", 1) for word in each.words)
    elif each.name == "USER":
        stage.user = each.value
    elif each.name == "WORKDIR":
        stage.folder = each.value
        (stage.root / each.value.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif each.name in ("ENTRYPOINT", "CMD"):
        stage.starts[each.name] = each.words
    elif each.name == "HEALTHCHECK":
        stage.starts[each.name] = json.loads(each.value[each.value.index("[") :])
    elif each.name not in _WITHOUT_STEP:
        raise RuntimeError(f"{each.name} is not known here")


def _copy(words: list[str], stage: Stage, context: Path, stages: Mapping[str, Stage]) -> None:
    of = [word.removeprefix("--from=") for word in words if word.startswith("--from=")]
    *sources, target = (word for word in words if not word.startswith("--"))
    place = stage.root / (target if target.startswith("/") else f"{stage.folder}/{target}").lstrip("/")
    origin = stages[of[0]].root if of else context
    for source in sources:
        found = origin / source.lstrip("/")
        if found.is_dir():
            _copy_folder(found, place, ignored(context) if not of else [])
        else:
            into = place / found.name if target.endswith("/") or len(sources) > 1 else place
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, into)


def _copy_folder(source: Path, place: Path, patterns: Sequence[str]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    excludes = [f"--exclude={pattern}" for pattern in patterns]
    with subprocess.Popen(["tar", "-C", source, *excludes, "-cf", "-", "."], stdout=subprocess.PIPE) as packed:
        subprocess.run(["tar", "-C", place, "--no-same-owner", "-xf", "-"], stdin=packed.stdout, check=True)
    if packed.returncode:
        raise RuntimeError(f"{source} cannot be copied")


def ignored(context: Path) -> list[str]:
    """The patterns of `.dockerignore`, as tar has them."""
    lines = (context / ".dockerignore").read_text("utf-8").split("\n")
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [pattern.removeprefix("**/") if pattern.startswith("**/") else f"./{pattern}" for pattern in patterns]


def try_image(image: Stage) -> None:
    """Start what an engine would start, and look at it as an operator does.

    Raises:
        RuntimeError: Something is not as it must be.
    """
    start = image.starts["ENTRYPOINT"]
    print(image.run(*start, "--version").strip())
    user = image.run("id", "--user").strip()
    _demand(f"it runs as user {user}, which is not root", holds=user == image.user.split(":")[0] != "0")
    for given in ((), ("net_raw",), ("net_raw", "sys_admin")):
        status = image.run(*start, "cat", "/proc/self/status", give=given)
        has = int(status.partition("CapEff:")[2].split()[0], 16)
        wanted = sum({"net_raw": 1 << 13, "sys_admin": 1 << 21}[name] for name in given)
        _demand(f"given {', '.join(given) or 'nothing'}, it has capabilities {has:#x}", holds=has == wanted)
    print(image.run(*start, "maglevd", "check").strip())
    print(image.run(*start, "maglevd", "plugins").strip().splitlines()[0])
    health = shlex.join(image.starts["HEALTHCHECK"])
    for command in (*image.starts["CMD"], "maglevd-frontend"):
        # The shell is the first process, whose command line the health check reads.
        ask = f"{shlex.join(start)} $0 & for n in $(seq 100); do {health} && exit 0; sleep 0.2; done; exit 1"
        print(image.run("sh", "-c", ask, command).strip().splitlines()[-1])


def _demand(what: str, *, holds: bool) -> None:
    if not holds:
        raise RuntimeError(f"not as it must be: {what}")
    print(f"    {what}")


def main(tar: Path) -> int:
    """Build, try, and say how large it came out."""
    with tempfile.TemporaryDirectory(prefix="container-") as place:
        Path(place).chmod(0o755)
        image = build(ROOT / "Dockerfile", ROOT, tar, Path(place))
        try_image(image)
        sizes = subprocess.run(["du", "-sm", image.root / "opt/maglevd"], check=True, capture_output=True, text=True)
        print(f"/opt/maglevd: {sizes.stdout.split()[0]} MB")
    return 0


if __name__ == "__main__":
    if os.geteuid() or len(sys.argv) != 2:
        sys.exit("needs to be root, and the root of a Debian release: make deb-roots")
    sys.exit(main(Path(sys.argv[1])))
