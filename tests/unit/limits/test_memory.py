import pytest

from tests.support.limits import MicrosecondClock, key, limits_of
from tramontane.limits.figures import MINUTE
from tramontane.limits.memory import MemoryLimitStore

pytestmark = pytest.mark.anyio

LIMITS = limits_of(requests=60, tokens=100)


async def test_what_is_idle_for_a_minute_is_forgotten():
    clock = MicrosecondClock()
    store = MemoryLimitStore(clock)
    for number in range(1000):
        await store.admit(key(workspace=str(number)), LIMITS, "2026-11")
    assert len(store) == 1000

    clock.advance(MINUTE)
    for number in range(500):
        await store.admit(key(workspace=f"new {number}"), LIMITS, "2026-11")
    assert len(store) == 500


async def test_what_is_in_use_is_not_forgotten():
    clock = MicrosecondClock()
    store = MemoryLimitStore(clock)
    await store.admit(key("busy"), LIMITS, "2026-11")
    for number in range(100):
        clock.advance(MINUTE // 50)
        await store.charge(key("busy"), LIMITS, "2026-11", 10)
        await store.admit(key(str(number)), LIMITS, "2026-11")

    assert not (await store.admit(key("busy"), LIMITS, "2026-11")).is_admitted
    assert len(store) <= 52
