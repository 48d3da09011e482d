"""`maglevc` where standard input, output or error are closed, full, or not to be read."""

from __future__ import annotations

import subprocess

import pytest

from plugins.maglev_cli.tests.site import MAGLEVC, PATIENCE_S, Site, environment


def shell(site: Site, line: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of sh in which `$maglevc` is the command; standard input is empty."""
    variables = environment(MAGLEV_SERVER=site.server, maglevc=" ".join(MAGLEVC))
    return subprocess.run(
        ["/bin/sh", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=variables,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize(
    "redirection,told",
    [(">/dev/full", "standard output: No space left on device"), (">&-", "standard output: Bad file descriptor")],
)
@pytest.mark.parametrize("words", ["show backends", "help", "--version", "--help", "watch events num 1", "show ?"])
def test_an_answer_that_cannot_be_written_is_an_error(
    shared_site: Site, words: str, redirection: str, told: str
) -> None:
    done = shell(shared_site, f"$maglevc {words} {redirection}")
    assert (done.returncode, done.stderr.decode()) == (1, f"{told}\n")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_without_standard_error_the_status_still_says_it(shared_site: Site, redirection: str) -> None:
    assert shell(shared_site, f"$maglevc show version {redirection}").returncode == 0
    assert shell(shared_site, f"$maglevc show backend nope {redirection}").returncode == 1
    assert shell(shared_site, f"$maglevc sohw {redirection}").returncode == 2


def test_without_standard_input_there_are_no_commands(shared_site: Site) -> None:
    assert shell(shared_site, "$maglevc <&-").returncode == 0
    done = shell(shared_site, "$maglevc show version <&-")
    assert (done.returncode, done.stderr) == (0, b"")


def test_with_none_of_the_three_nothing_is_written_into_a_connection(shared_site: Site) -> None:
    done = shell(shared_site, "$maglevc set backend ams-1 resume <&- >&- 2>&-; echo $?")
    assert done.stdout == b"1\n"  # carried out, but the answer could not be written
    assert shell(shared_site, "$maglevc show version <&- 2>&-").returncode == 0


def test_input_that_cannot_be_read_is_an_error(shared_site: Site) -> None:
    done = shell(shared_site, "$maglevc 0>/dev/null")
    assert (done.returncode, done.stderr) == (1, b"standard input: Bad file descriptor\n")


@pytest.mark.parametrize(
    "line", ["$maglevc show backend \"$(printf 'a\\377b')\"", "printf 'show backend a\\377b' | $maglevc"]
)
def test_bytes_that_are_no_text_are_no_name(shared_site: Site, line: str) -> None:
    done = shell(shared_site, line)
    assert done.returncode in (1, 2)
    assert done.stderr.count(b"\n") == 1
    assert b"\xff" not in done.stderr
