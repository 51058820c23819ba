"""The money side for tests of everything else: admits all, and notes what is settled."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tramontane.core.deadlines import Deadlines
from tramontane.core.usage import Usage
from tramontane.serving.deadline import Deadline


@dataclass
class FreeMeter:
    """Stands in for `serving.metering.Meter`."""

    settled: list[Usage]
    cut: list[Usage]

    @asynccontextmanager
    async def running(self, prompt_tokens, max_completion_tokens, used):
        try:
            yield
        except BaseException:
            self.cut.append(used())
            raise

    def deadline(self):
        return Deadline(Deadlines(), 0)

    def serve(self, served, listed_as=None, *, can_hand_over=False):
        pass

    def start(self):
        pass

    def note_first_token(self):
        pass

    async def settle(self, usage):
        self.settled.append(usage)


@dataclass
class FreeMetering:
    """Stands in for `serving.metering.Metering`."""

    settled: list[Usage] = field(default_factory=list)
    cut: list[Usage] = field(default_factory=list)

    async def admit(self, context, order, served):
        return FreeMeter(self.settled, self.cut)
