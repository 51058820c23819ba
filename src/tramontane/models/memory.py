"""The memory that all models share: who may be loaded beside whom.

What a model may need at most is held for it from the moment in which its loading begins, so that two loadings
never count on the same bytes. Runs on one event loop.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from tramontane.catalog.machine import MachineMemory
from tramontane.errors import ConfigurationError, EngineUnavailableError

logger = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 30.0
"""How long a loading waits for others to come to rest."""
_RETRY_SECONDS: Final = 5
_ASK_AGAIN_SECONDS: Final = 60
_USABLE: Final = 0.9
"""Of what a machine has available: the rest is for answers on their way and for all other programs."""


class Holder(Protocol):
    """A model that holds memory."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def is_idle(self) -> bool:
        """It is loaded, and nobody uses it or waits for it."""
        ...

    @property
    def last_used(self) -> float:
        """On the monotonic clock."""
        ...

    def resident(self) -> int | None:
        """Bytes of its process, if it has one."""
        ...

    async def unload_if_idle(self) -> None:
        """Give the memory back, unless somebody uses it by now."""
        ...


class SharedMemory:
    """Holds what the loaded models need against what there is.

    Args:
        limit: bytes for all models together; None for what the machine has free at the time.
        machine: what the machine, or the container around us, has.
        patience: seconds that a loading waits for models in use.
    """

    def __init__(
        self, limit: int | None, machine: Callable[[], MachineMemory], patience: float = PATIENCE_SECONDS
    ) -> None:
        self._limit = limit
        self._machine = machine
        self._patience = patience
        self._held: dict[Holder, int] = {}
        self._turn = asyncio.Lock()
        self._evicting = False
        self._news = asyncio.Event()

    @property
    def held(self) -> int:
        """Bytes of all models that are loaded or being loaded."""
        return sum(self._held.values())

    def claim(self, holder: Holder, need: int) -> None:
        """Hold memory for a model that is loaded with the start of the server, at nobody's expense.

        Without a limit, what there is is an estimate against an estimate: the model is tried all the same.

        Raises:
            ConfigurationError: the models of the start do not fit into the limit together.
        """
        if not self._fits(need):
            if self._limit is not None:
                raise ConfigurationError(
                    f"memory_limit is {_size(self._limit)}, and the models that are loaded at the start need "
                    f"more: {holder.name} may take {_size(need)}, those before it {_size(self.held)}. Load "
                    f'some of them with their first use (load = "use"), give them fewer kv_cache_tokens, or '
                    f"raise the limit."
                )
            logger.warning(
                "%s may take %s of memory, and the machine has %s left beside the other models",
                holder.name,
                _size(need),
                _size(max(0, self._free())),
            )
        self._held[holder] = need

    async def reserve(self, holder: Holder, need: int) -> None:
        """Hold memory for `holder`; make room by unloading idle models, the one longest not used first.

        Models are not unloaded in vain: if all idle ones together were not enough, it waits for those in use.
        Who came first is served first.

        Raises:
            EngineUnavailableError: it can never fit, or nothing came to rest in time.
        """
        if self._evicting or not self._fits(need):
            async with self._turn:
                await self._make_room(holder, need)
                self._held[holder] = need
            return
        self._held[holder] = need

    def release(self, holder: Holder) -> None:
        """`holder` is not in memory any more."""
        self._held.pop(holder, None)
        self.notify()

    def notify(self) -> None:
        """A model has come to rest, or is gone."""
        self._news.set()

    async def _make_room(self, holder: Holder, need: int) -> None:
        self._refuse_giant(holder, need)
        try:
            async with asyncio.timeout(self._patience):
                while not self._fits(need):
                    self._news.clear()
                    if victims := self._victims(need):
                        await self._evict(victims, holder)
                    elif self._limit is None and not self.held:
                        return  # nobody but other programs has the rest: the estimate may be wrong
                    else:
                        await self._news.wait()
        except TimeoutError:
            raise EngineUnavailableError(
                f"There is no memory for {holder.name} at the moment: other models are in use.",
                _RETRY_SECONDS,
            ) from None

    def _refuse_giant(self, holder: Holder, need: int) -> None:
        most = self._machine().total if self._limit is None else self._limit
        if need > most:
            there_is = "this machine has" if self._limit is None else "memory_limit is"
            raise EngineUnavailableError(
                f"{holder.name} can never be loaded here: it may take {_size(need)} of memory, and "
                f"{there_is} {_size(most)}.",
                _ASK_AGAIN_SECONDS,
            )

    def _victims(self, need: int) -> Sequence[Holder]:
        """The idle models to unload, longest unused first; none if all together would not be enough."""
        missing = need - self._free()
        victims = []
        idle = [other for other, held in self._held.items() if held and other.is_idle]
        for other in sorted(idle, key=lambda other: other.last_used):
            if missing <= 0:
                break
            victims.append(other)
            missing -= self._held[other]
        return victims if missing <= 0 else ()

    async def _evict(self, victims: Sequence[Holder], holder: Holder) -> None:
        self._evicting = True
        try:
            for victim in victims:
                logger.info("%s is unloaded to make room for %s", victim.name, holder.name)
                await victim.unload_if_idle()
        finally:
            self._evicting = False

    def _fits(self, need: int) -> bool:
        return need == 0 or need <= self._free()

    def _free(self) -> int:
        if self._limit is not None:
            return self._limit - self.held
        # What is resident is not available any more; only what loaded models may still grow by is to come.
        growth = sum(max(0, held - (holder.resident() or 0)) for holder, held in self._held.items())
        return int(self._machine().available * _USABLE) - growth


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB"
