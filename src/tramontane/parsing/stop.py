"""Stop strings in a text that comes in pieces."""

from collections import deque
from collections.abc import Sequence


class StopStrings:
    """An automaton for a set of stop strings (Aho and Corasick, 1975), shared by all answers of a request.

    A state is the longest end of the text so far that begins a stop string; `depths` has its length. Takes
    time and memory in proportion to the length of all strings together. Empty strings stop nothing.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        self.next: list[dict[str, int]] = [{}]
        self.depths = [0]
        self.stops = [0]
        """Length of the longest stop string that ends in a state; 0 if none does."""
        for string in filter(None, strings):
            self._insert(string)
        self.fallback = [0] * len(self.next)
        self._link()

    def __bool__(self) -> bool:
        return len(self.next) > 1

    def step(self, state: int, character: str) -> int:
        """The state after one more character."""
        while state and character not in self.next[state]:
            state = self.fallback[state]
        return self.next[state].get(character, 0)

    def _insert(self, string: str) -> None:
        state = 0
        for depth, character in enumerate(string, start=1):
            if character not in self.next[state]:
                self.next[state][character] = len(self.next)
                self.next.append({})
                self.depths.append(depth)
                self.stops.append(0)
            state = self.next[state][character]
        self.stops[state] = len(string)

    def _link(self) -> None:
        """Breadth first: a state falls back to the next shorter end of the text that begins a stop string."""
        states = deque(self.next[0].values())
        while states:
            state = states.popleft()
            for character, child in self.next[state].items():
                self.fallback[child] = self.step(self.fallback[state], character)
                self.stops[child] = self.stops[child] or self.stops[self.fallback[child]]
                states.append(child)


class StopFilter:
    """Passes text on up to the first stop string: the one that is complete first, of several the longest.

    Holds back exactly what may begin a stop string. The outcome does not depend on how the text is split.
    """

    def __init__(self, strings: StopStrings) -> None:
        self._strings = strings
        self._state = 0
        self._held = ""
        self.stopped = False

    def feed(self, text: str, *, may_stop: bool = True) -> str:
        """What can be passed on; call no more once `stopped`. Without `may_stop` that is all of `text`."""
        if not may_stop:
            return text
        text = self._held + text
        state = self._state
        for end in range(len(self._held), len(text)):
            state = self._strings.step(state, text[end])
            if length := self._strings.stops[state]:
                self.stopped = True
                self._held = ""
                return text[: end + 1 - length]
        self._state = state
        passed = len(text) - self._strings.depths[state]
        self._held = text[passed:]
        return text[:passed]

    def flush(self) -> str:
        """What was held back; the text ends without a stop string."""
        held, self._held, self._state = self._held, "", 0
        return held
