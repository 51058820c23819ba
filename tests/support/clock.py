"""Time that stands still until a test moves it."""


class FakeClock:
    def __init__(self, now=1_700_000_000.0):
        self._now = now
        self._monotonic = 0.0

    def now(self):
        return self._now

    def monotonic(self):
        return self._monotonic

    def advance(self, seconds):
        self._now += seconds
        self._monotonic += seconds
