"""Which inputs are embedded together: of all requests that wait, inputs of about one length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

BATCH_TOKENS: Final = 512
"""Padding included. Larger batches are no faster, and make those who come meanwhile wait for longer."""
SPARE_TOKENS: Final = 32
"""Of padding, that a batch may take on beyond the rounding of widths: another batch costs about as much."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs by request and place in it, each padded to `width` tokens."""

    width: int
    rows: Sequence[tuple[int, int]]


@dataclass(slots=True)
class _Job:
    waiting: dict[int, list[int]]
    """Places of the inputs that are still to do, by width."""
    start: float
    """When its next batch begins, in virtual time: the tokens that each request has had by its share."""

    @property
    def finish(self) -> float:
        """When that batch ends."""
        width = max(self.waiting)
        return self.start + min(len(self.waiting[width]) * width, max(BATCH_TOKENS, width))

    def take(self, width: int, most: int) -> list[int]:
        """Up to `most` places of inputs of that width."""
        places = self.waiting.get(width)
        if not places or most <= 0:
            return []
        taken, left = places[:most], places[most:]
        if left:
            self.waiting[width] = left
        else:
            del self.waiting[width]
        return taken


@dataclass(slots=True)
class EmbeddingBatches:
    """The requests that wait, each by its id.

    Weighted fair queueing: a request is charged for the tokens that it had, and next is the batch that would
    end first if all were worked on at once. So requests share alike, and a short one that comes late is not
    behind the rest of long ones. Whoever has inputs of the width that is next comes along.
    """

    max_length: int
    """The widest that a batch may be."""
    _jobs: dict[int, _Job] = field(default_factory=dict)
    _clock: float = 0

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def add(self, request_id: int, lengths: Sequence[int]) -> None:
        """A request with inputs of these lengths; at least one."""
        waiting: dict[int, list[int]] = {}
        for place, length in enumerate(lengths):
            waiting.setdefault(padded_width(length, self.max_length), []).append(place)
        self._jobs[request_id] = _Job(waiting, self._clock)

    def discard(self, request_id: int) -> None:
        """Nobody waits for the rest of it any more."""
        self._jobs.pop(request_id, None)

    def take(self) -> Batch:
        """The next batch; there must be a request."""
        first = min(self._jobs, key=lambda request_id: self._jobs[request_id].finish)
        width = max(self._jobs[first].waiting)
        order = [first, *(request_id for request_id in self._jobs if request_id != first)]
        rows = list(self._fill(order, width))
        self._clock += width * len(rows) / len(order)
        return Batch(width, rows)

    def _fill(self, order: Sequence[int], width: int) -> Iterator[tuple[int, int]]:
        room = max(1, BATCH_TOKENS // width)
        spare = SPARE_TOKENS
        for narrower in self._widths(width):
            for request_id in order:
                if (job := self._jobs.get(request_id)) is None:
                    continue
                padding = width - narrower
                places = job.take(narrower, min(room, spare // padding) if padding else room)
                room -= len(places)
                spare -= padding * len(places)
                job.start += width * len(places)
                if not job.waiting:
                    del self._jobs[request_id]
                yield from ((request_id, place) for place in places)
            if not room:
                return

    def _widths(self, width: int) -> list[int]:
        """`width`, then the narrower ones that fit into it with the padding to spare."""
        found = {other for job in self._jobs.values() for other in job.waiting}
        return sorted((other for other in found if width - SPARE_TOKENS <= other <= width), reverse=True)


def padded_width(length: int, max_length: int) -> int:
    """Of a batch whose longest input has `length` tokens.

    The library prepares itself for each new shape, which takes as long as some hundred tokens of padding, and
    remembers hundreds of them: so there are few widths, about a sixteenth apart.
    """
    step = 8
    while length > 16 * step:
        step *= 2
    return min(-(-length // step) * step, max_length)
