r"""The conformance kit for checkers, as test classes to inherit.

```python
class TestRedis(StreamCheckerSuite):
    def make(self) -> StreamChecker:
        return RedisChecker.build(RedisChecker.Options())

    def passing(self) -> Sequence[bytes]:
        return [b"+PONG\r\n"]

    def failing(self) -> Sequence[bytes]:
        return [b"-NOAUTH Authentication required.\r\n"]
```

Needs hypothesis: `pip install "maglevd[testing]"`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maglev.api import Checker, Closed, Conversation, ProbeResult, StreamChecker, Target, Verdict, option_info
from maglev.testing.conversation import LOOPBACK_PORT, Transcript, run_conversation, split_at

_LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_ENDS = (Closed.EOF, Closed.RESET, None)


class CheckerSuite(ABC):
    """Tests for a checker of any shape."""

    @abstractmethod
    def make(self) -> Checker:
        """A checker to test, built as the core builds it: `MyChecker.build(MyChecker.Options(...))`."""

    def test_it_has_a_name_that_yaml_can_say(self) -> None:
        name = self.make().name
        assert isinstance(name, str)
        assert name.replace("-", "").isalnum()
        assert name == name.lower()

    def test_its_options_are_declared_with_help(self) -> None:
        fields = attrs.fields(type(self.make()).Options)
        assert [field.name for field in fields if not option_info(field).help] == []

    def test_its_advice_is_sentences(self) -> None:
        checker = self.make()
        advice: object = type(checker).advice(checker.options)
        assert isinstance(advice, tuple)
        assert [line for line in advice if not isinstance(line, str) or not line] == []

    def test_it_lets_go_when_closed(self) -> None:
        self.make().close()


class StreamCheckerSuite(CheckerSuite):
    """Tests for a `StreamChecker`: its conversations depend only on the peer's bytes and never raise."""

    @abstractmethod
    def make(self) -> StreamChecker:
        """See `CheckerSuite.make`."""

    @abstractmethod
    def passing(self) -> Sequence[bytes]:
        """Complete answers of a good server, each enough for a pass."""

    def failing(self) -> Sequence[bytes]:
        """Complete answers of a bad server, each enough for a failure."""
        return ()

    def target(self) -> Target:
        """The backend that is asked about; override it to test another port or family."""
        return Target("backend", ip_address("127.0.0.1"), LOOPBACK_PORT)

    def start(self) -> Callable[[], Conversation]:
        """The function that makes a conversation for each probe, prepared once as the engine does."""
        return self.make().conversations(self.target())

    def test_the_opening_is_bytes_or_a_verdict(self) -> None:
        assert isinstance(run_conversation(self.start()()), Transcript)

    def test_good_answers_pass(self) -> None:
        for answer in self.passing():
            assert run_conversation(self.start()(), answer).result.verdict is Verdict.PASS, answer

    def test_bad_answers_fail(self) -> None:
        for answer in self.failing():
            assert run_conversation(self.start()(), answer).result.verdict is Verdict.FAIL, answer

    def test_probes_do_not_share_what_they_read(self) -> None:
        start = self.start()
        first, second = start(), start()
        assert first is not second
        for answer in self.passing():
            run_conversation(start(), answer[: len(answer) // 2])
            assert run_conversation(start(), answer).result.ok

    def test_any_chunking_gives_the_same_verdict_as_the_whole(self) -> None:
        start = self.start()

        @_LAW
        @given(self._answers(), st.lists(st.integers(0, 300), max_size=12), st.sampled_from(_ENDS))
        def law(answer: bytes, at: list[int], end: Closed | None) -> None:
            assert (
                run_conversation(start(), split_at(answer, at), end).result
                == run_conversation(start(), answer, end).result
            )

        law()

    def test_byte_by_byte_gives_the_same_verdict_as_the_whole(self) -> None:
        start = self.start()
        for answer in (*self.passing(), *self.failing()):
            single = [answer[index : index + 1] for index in range(len(answer))]
            assert run_conversation(start(), single).result == run_conversation(start(), answer).result

    def test_no_bytes_raise(self) -> None:
        start = self.start()

        @_LAW
        @given(st.lists(st.binary(min_size=1, max_size=200), max_size=6), st.sampled_from(_ENDS))
        def law(pieces: list[bytes], end: Closed | None) -> None:
            assert isinstance(run_conversation(start(), pieces, end).result, ProbeResult)

        law()

    def test_what_the_peer_says_is_never_void(self) -> None:
        for answer in (b"", b"\0", *self.passing(), *self.failing()):
            for end in _ENDS:
                assert run_conversation(self.start()(), answer, end).result.verdict is not Verdict.VOID

    def _answers(self) -> st.SearchStrategy[bytes]:
        """Bytes worth cutting up: good and bad answers, broken off, with garbage behind or in the middle."""
        known = st.sampled_from([b"", *self.passing(), *self.failing()])
        broken = st.builds(_break, known, st.integers(0, 300), st.binary(max_size=20), st.booleans())
        return st.one_of(known, broken, st.binary(max_size=100))


def _break(answer: bytes, at: int, garbage: bytes, goes_on: bool) -> bytes:  # noqa: FBT001 - hypothesis draws it
    return answer[:at] + garbage + (answer[at:] if goes_on else b"")
