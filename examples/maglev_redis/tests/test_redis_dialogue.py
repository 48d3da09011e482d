"""The checker `redis` without sockets: the conformance suite, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from maglev.api import StreamChecker, Target
from maglev.testing import run_conversation
from maglev.testing.checker_suite import StreamCheckerSuite
from maglev_redis.checker import RedisChecker, RedisOptions


class TestRedis(StreamCheckerSuite):
    def make(self) -> StreamChecker:
        return RedisChecker(RedisOptions())

    def passing(self) -> Sequence[bytes]:
        return [b"+PONG\r\n"]

    def failing(self) -> Sequence[bytes]:
        return [b"", b"+PONG", b"-NOAUTH Authentication required.\r\n", b"-LOADING Redis is loading\r\n"]


class TestRedisWithPassword(StreamCheckerSuite):
    def make(self) -> StreamChecker:
        return RedisChecker(RedisOptions(password="open sesame"))

    def passing(self) -> Sequence[bytes]:
        return [b"+OK\r\n+PONG\r\n"]

    def failing(self) -> Sequence[bytes]:
        return [b"+PONG\r\n", b"-WRONGPASS invalid username-password pair\r\n+PONG\r\n"]


def test_it_is_polite() -> None:
    start = RedisChecker(RedisOptions(password="geheim")).conversations(Target("a", ip_address("192.0.2.1"), 6379))
    dialogue = run_conversation(start(), b"+OK\r\n+PONG\r\n")
    assert dialogue.all_sent == b"*2\r\n$4\r\nAUTH\r\n$6\r\ngeheim\r\nPING\r\n"
    assert dialogue.last_send == b"QUIT\r\n"
