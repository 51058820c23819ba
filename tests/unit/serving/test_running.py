from tests.support.clock import FakeClock
from tramontane.core.usage import Usage
from tramontane.serving.running import Running, RunningRequests


def test_requests_are_there_for_as_long_as_they_run():
    running = RunningRequests(FakeClock())
    with (
        running.hold(Running("ours", "m", lambda: Usage(0))),
        running.hold(Running("theirs", "m", lambda: Usage(0))),
    ):
        assert (len(running), running.count("ours", "m"), running.count("ours", "other")) == (2, 1, 0)

    assert len(running) == 0


def test_the_pace_is_that_of_the_tokens_since_the_first():
    clock = FakeClock()
    running = RunningRequests(clock)
    tokens = 1
    one = Running("ours", "m", lambda: Usage(10, tokens))
    waiting = Running("ours", "m", lambda: Usage(0))
    with running.hold(one), running.hold(waiting):
        assert running.tokens_per_second() == 0
        one.first_token_at = clock.monotonic()
        assert running.tokens_per_second() == 0
        clock.advance(2)
        tokens = 41

        assert running.tokens_per_second() == 20
        assert running.tokens_per_second("other") == 0
