"""A model that is served: known from the start, in memory when it is needed.

Who wants to use it takes a lease. A lease loads the model if need be, keeps it loaded to its end, and starts
the clock of `keep_alive` when it was the last. Runs on one event loop: between looking and deciding nothing
is awaited, so that no lock is needed.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, Generic, Protocol, runtime_checkable

from tramontane.core.clock import Clock
from tramontane.core.processes import memory_of
from tramontane.errors import (
    CapacityError,
    ConflictError,
    EngineUnavailableError,
    TramontaneError,
)
from tramontane.models.loaded import EmbeddingModel, LoadedModel, RemoteEmbeddingModel
from tramontane.models.loader import Loader, ModelT
from tramontane.models.memory import SharedMemory
from tramontane.models.state import ModelState, Phase
from tramontane.settings import NEVER, Task

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 5
_ASK_AGAIN_SECONDS: Final = 60
"""When it takes a person to change something."""


class Alarm(Protocol):
    """Something that will happen unless it is cancelled."""

    def cancel(self) -> None:
        """Let it not happen."""
        ...


Later = Callable[[float, Callable[[], None]], Alarm]
"""Calls back after so many seconds; an event loop's `call_later`."""


@runtime_checkable
class _InAProcess(Protocol):
    @property
    def worker_pid(self) -> int | None: ...


class ServedModel(Generic[ModelT]):
    """One model, under its own id and its aliases.

    Args:
        loader: makes it.
        made: what `loader` has made already.
        memory: that all models share.
        clock: tells when it was used.
        later: sets the alarm of `keep_alive`; None is the event loop's own.
    """

    def __init__(
        self,
        loader: Loader[ModelT],
        made: ModelT,
        memory: SharedMemory,
        clock: Clock,
        later: Later | None = None,
    ) -> None:
        self.profile = loader.profile
        self.settings = loader.settings
        self.admission = loader.admission
        self.admissions = made.admissions
        embeds = isinstance(made, EmbeddingModel | RemoteEmbeddingModel)
        self.task: Task = "embed" if embeds else "generate"
        self.traits = loader.traits(made)
        self._loader = loader
        self._made = made if self.settings.load == "start" else None
        self._memory = memory
        self._clock = clock
        self._later = later
        self._model: ModelT | None = None
        self._phase = Phase.UNLOADED
        self._since = clock.now()
        self._problem: str | None = None
        self._work: asyncio.Task[str | None] | None = None
        """The loading or unloading that goes on; its result is why a loading failed."""
        self._users = 0
        self._unloadings = 0
        """How often it was taken out of memory: a lease of then is none of now."""
        self._waiting = 0
        self._last_used = clock.monotonic()
        self._idle_since: float | None = None
        self._alarm: Alarm | None = None
        self._may_load = self.settings.load != "command"
        self._is_commanded = False
        """The last loading was asked for by the operator, not by a request."""
        self._closed = False

    @property
    def name(self) -> str:
        """Its own id."""
        return self.profile.id

    @property
    def loaded(self) -> ModelT | None:
        """The model, if it is in memory: to look at, not to use."""
        return self._model

    @property
    def is_idle(self) -> bool:
        """It is loaded, and nobody uses it or waits for it."""
        return self._phase is Phase.LOADED and not self._users and not self._waiting

    @property
    def last_used(self) -> float:
        """On the monotonic clock."""
        return self._last_used

    @asynccontextmanager
    async def lease(self) -> AsyncGenerator[ModelT]:
        """The loaded model, for as long as the context lasts: it is not unloaded under whoever holds it.

        First requests that come together share one loading, which goes on if they leave.

        Raises:
            CapacityError: as many wait for the loading as the queue takes.
            EngineUnavailableError: it cannot be loaded now, or only by command.
        """
        model = await self._enter()
        unloadings = self._unloadings
        try:
            yield model
        finally:
            if unloadings == self._unloadings:  # else it was unloaded by force
                self._leave()

    async def start(self) -> None:
        """Load it with the start of the server, without making room.

        Raises:
            ConfigurationError: it does not fit into the limit beside the others of the start.
            ModelStoreError: it cannot be loaded.
        """
        self._memory.claim(self, self._loader.memory)
        self._is_commanded = True
        self._enter_phase(Phase.LOADING)
        try:
            self._model = await self._made_and_started()
        except BaseException:
            self._end_loading(Phase.FAILED)
            raise
        self._settle()

    async def load(self) -> None:
        """Load it by command, and let requests load it again from now on. Returns when it is loaded.

        Raises:
            EngineUnavailableError: it cannot be loaded; says why.
        """
        self.begin_load()
        while self._phase is not Phase.LOADED:
            await self._wait_for_work()
        if self.settings.keep_alive and self._idle_since is None:
            self._rest()

    def begin_load(self) -> None:
        """As `load`, without waiting for the end of it; the state says what comes of it."""
        self._may_load = True
        if self._phase in {Phase.UNLOADED, Phase.FAILED}:
            self._begin_loading()
            self._is_commanded = True

    async def unload(self, *, force: bool = False) -> None:
        """Take it out of memory by command; a loading that goes on is broken off.

        The next request loads it again, unless it is one that only a command loads.

        Args:
            force: end the requests that use it, or wait for it, instead of refusing.

        Raises:
            ConflictError: it is in use.
        """
        self.check_unload(force=force)
        if self.settings.load == "command":
            self._may_load = False
        await self._drop()

    def check_unload(self, *, force: bool) -> None:
        """Return if it may be unloaded now.

        Raises:
            ConflictError: it is in use.
        """
        if (self._users or self._waiting) and not force:
            raise ConflictError(
                f"Model {self.name} is in use by {self._users + self._waiting} requests. Wait for them to "
                f"end, or unload it with force, which breaks them off."
            )

    async def unload_if_idle(self) -> None:
        """Take it out of memory unless somebody uses it by now."""
        if self.is_idle:
            self._begin_unloading()
        if self._phase is Phase.UNLOADING and self._work is not None:
            await asyncio.wait({self._work})

    async def close(self) -> None:
        """Take it out of memory for good. Whoever uses it or waits for it is refused."""
        self._closed = True
        await self._drop()

    def resident(self) -> int | None:
        """Bytes that its process has in memory; None without a process of its own."""
        if self._model is None:
            return None
        engine: object = self._model.engine
        return memory_of(engine.worker_pid) if isinstance(engine, _InAProcess) else None

    async def state(self) -> ModelState:
        """What it does now."""
        problem = self._problem
        if self._model is not None:
            try:
                await self._model.engine.check_health()
            except EngineUnavailableError as error:
                problem = error.message
        alarm = self._idle_since is not None and self.settings.keep_alive != NEVER and self._alarm is not None
        return ModelState(
            phase=self._phase,
            since=self._since,
            answers=not self._closed and (self._may_load or self._model is not None) and problem is None,
            problem=problem,
            memory=self.resident(),
            memory_needed=self._loader.memory,
            users=self._users + self._waiting,
            idle_since=self._idle_since,
            unloads_at=self._idle_since + self.settings.keep_alive if alarm and self._idle_since else None,
        )

    async def _enter(self) -> ModelT:
        while self._model is None:
            if not self._may_load:
                raise EngineUnavailableError(
                    f"Model {self.name} is not loaded. An administrator loads it: tramontane models load "
                    f"{self.name}",
                    _ASK_AGAIN_SECONDS,
                )
            if self._waiting >= self.admission.slots + self.admission.max_queue:
                raise CapacityError
            await self._wait_for_work()
        self._users += 1
        self._stop_clock()
        return self._model

    def _leave(self) -> None:
        self._users -= 1
        self._last_used = self._clock.monotonic()
        self._rest()

    async def _wait_for_work(self) -> None:
        """Wait until what goes on is over; begin to load if nothing goes on.

        Raises:
            EngineUnavailableError: the loading failed, or was broken off.
        """
        if self._closed:
            raise EngineUnavailableError
        if self._phase in {Phase.UNLOADED, Phase.FAILED}:
            self._begin_loading()
        work = self._work
        assert work is not None
        self._waiting += 1
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            self._waiting -= 1
            self._rest()
            raise
        # Nothing is awaited from here to the end of the loop in `_enter`: it is not unloaded unused.
        self._waiting -= 1
        if work.cancelled():
            raise EngineUnavailableError(
                f"Model {self.name} was unloaded before it was ready.", _RETRY_SECONDS
            )
        if problem := work.result():
            raise EngineUnavailableError(problem, _RETRY_SECONDS)

    def _begin_loading(self) -> None:
        self._is_commanded = False
        self._enter_phase(Phase.LOADING)
        self._work = asyncio.create_task(self._load(), name=f"load {self.name}")

    async def _load(self) -> str | None:
        """Load it; returns what to tell whoever waits if that fails. Raises only when it is cancelled."""
        logger.info("%s is being loaded", self.name)
        try:
            await self._memory.reserve(self, self._loader.memory)
            self._model = await self._made_and_started()
        except EngineUnavailableError as error:
            return self._fail(error.message, error.message)
        except TramontaneError as error:
            return self._fail(
                str(error), f"Model {self.name} cannot be loaded. The log of the server says why."
            )
        except asyncio.CancelledError:
            self._end_loading(Phase.UNLOADED)
            raise
        except Exception as error:
            logger.exception("%s cannot be loaded", self.name)
            return self._fail(
                str(error), f"Model {self.name} cannot be loaded. The log of the server says why."
            )
        self._settle()
        return None

    async def _made_and_started(self) -> ModelT:
        made, self._made = self._made, None
        model = made if made is not None else await asyncio.to_thread(self._loader.make)
        try:
            await model.engine.start()
        except BaseException:
            await model.engine.close()
            raise
        return model

    def _settle(self) -> None:
        """The model is loaded."""
        self._enter_phase(Phase.LOADED)
        logger.info("%s is loaded", self.name)
        self._last_used = self._clock.monotonic()
        if self.settings.keep_alive or not self._is_commanded:  # else the first use has to end
            self._rest()
        self._memory.notify()

    def _fail(self, problem: str, told: str) -> str:
        logger.error("%s cannot be loaded: %s", self.name, problem)
        self._end_loading(Phase.FAILED)
        self._problem = problem
        return told

    def _end_loading(self, phase: Phase) -> None:
        self._enter_phase(phase)
        self._memory.release(self)

    async def _drop(self) -> None:
        if self._phase is Phase.LOADING and self._work is not None:
            self._work.cancel()
            await asyncio.wait({self._work})
        if self._phase is Phase.LOADED:
            self._begin_unloading()
        if self._phase is Phase.UNLOADING and self._work is not None:
            await asyncio.wait({self._work})

    def _begin_unloading(self) -> None:
        model, self._model = self._model, None
        assert model is not None
        self._users = 0
        self._unloadings += 1
        self._stop_clock()
        self._enter_phase(Phase.UNLOADING)
        self._work = asyncio.create_task(self._unload(model), name=f"unload {self.name}")

    async def _unload(self, model: LoadedModel) -> None:
        try:
            await model.engine.close()
        except Exception:
            logger.exception("%s was not unloaded in order", self.name)
        self._enter_phase(Phase.UNLOADED)
        logger.info("%s is unloaded", self.name)
        self._memory.release(self)

    def _rest(self) -> None:
        """Start the clock of `keep_alive`, if nobody uses it any more."""
        if not self.is_idle:
            return
        self._stop_clock()
        self._idle_since = self._clock.now()
        self._memory.notify()
        if self.settings.keep_alive == NEVER or self._closed:
            return
        later = self._later or asyncio.get_running_loop().call_later
        self._alarm = later(self.settings.keep_alive, self._unload_rested)

    def _unload_rested(self) -> None:
        if self.is_idle:
            logger.info("%s was not used for %g s", self.name, self.settings.keep_alive)
            self._begin_unloading()

    def _stop_clock(self) -> None:
        self._idle_since = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _enter_phase(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self._clock.now()
        self._problem = None
