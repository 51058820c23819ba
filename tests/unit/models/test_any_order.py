"""Whatever order things come in: memory is never exceeded, and no model leaves under its users."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.model_life import World, settled, use
from tramontane.errors import ConflictError, EngineUnavailableError
from tramontane.models.state import Phase

LIMIT = 100
NEEDS = (30, 40, 60, 80)
MODELS = st.sampled_from(range(len(NEEDS)))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), MODELS),
        st.tuples(st.just("leave"), st.integers(0, 5)),
        st.tuples(st.just("give up"), st.integers(0, 5)),
        st.tuples(st.just("load"), MODELS),
        st.tuples(st.just("unload"), MODELS),
        st.tuples(st.just("break"), MODELS),
        st.tuples(st.just("mend"), MODELS),
        st.tuples(st.just("stall"), MODELS),
        st.tuples(st.just("go on"), MODELS),
        st.tuples(st.just("wait"), st.sampled_from([1, 30])),
    ),
    max_size=40,
)


class User:
    """Asks for a model, and keeps it until told."""

    def __init__(self, world, model):
        self.engine = world.engine(model)
        self.may_leave = asyncio.Event()
        self.has_it = False
        self.task = asyncio.create_task(self._use(model))

    async def _use(self, model):
        async with model.lease():
            self.has_it = True
            try:
                await self.may_leave.wait()
            finally:
                self.has_it = False


class Story:
    def __init__(self):
        self.world = World(limit=LIMIT, patience=1000)
        self.models = [self.world.model(need, keep_alive=20) for need in NEEDS]
        self.users = []

    async def tell(self, step):
        what, which = step
        model = self.models[which] if what in {"ask", "load", "unload"} else None
        match what:
            case "ask":
                self.users.append(User(self.world, model))
            case "leave" | "give up" if which < len(self.users):
                user = self.users.pop(which)
                user.may_leave.set() if what == "leave" else user.task.cancel()
            case "load":
                model.begin_load()
            case "unload":
                try:
                    await model.unload()
                except ConflictError:
                    assert (await model.state()).users
            case "break" | "mend":
                failure = RuntimeError("broken") if what == "break" else None
                self.world.engine(self.models[which]).failure = failure
            case "stall" | "go on":
                gate = self.world.engine(self.models[which]).gate
                gate.clear() if what == "stall" else gate.set()
            case "wait":
                await self.world.pass_time(which)
        await settled()

    def check(self):
        up = [model for model in self.models if self.world.engine(model).is_up]
        assert sum(NEEDS[self.models.index(model)] for model in up) <= self.world.memory.held <= LIMIT
        for user in self.users:
            assert user.engine.is_up or not user.has_it
        for model in self.models:
            assert (model.loaded is not None) <= self.world.engine(model).is_up
            assert model._waiting >= 0
            assert model._users == sum(
                user.has_it for user in self.users if user.engine is self.world.engine(model)
            )

    async def end(self):
        """When everybody has left, every model can be had again."""
        for model in self.models:
            self.world.engine(model).failure = None
            self.world.engine(model).gate.set()
        for user in self.users:
            user.may_leave.set()
        outcomes = await asyncio.gather(*(user.task for user in self.users), return_exceptions=True)
        assert all(outcome is None or isinstance(outcome, EngineUnavailableError) for outcome in outcomes)
        for model in self.models:
            await use(model)
            assert (await model.state()).phase is Phase.LOADED
        await asyncio.gather(*(model.close() for model in self.models))
        assert self.world.memory.held == 0


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_comes_in_whatever_order(steps):
    async def tell():
        story = Story()
        for step in steps:
            await story.tell(step)
            story.check()
        await story.end()

    asyncio.run(tell())
