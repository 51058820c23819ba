from tests.support.clock import FakeClock
from tramontane.accounts.cache import ExpiringCache


def test_a_value_is_remembered_until_it_is_too_old():
    clock = FakeClock()
    cache = ExpiringCache(clock, size=2, ttl=5)
    cache.put("a", 1)

    clock.advance(4.9)
    assert cache.get("a") == 1
    clock.advance(0.2)
    assert cache.get("a") is None
    assert cache.get("b") is None


def test_the_oldest_goes_when_it_is_full():
    cache = ExpiringCache(FakeClock(), size=2, ttl=5)
    for name in "abac":
        cache.put(name, name)

    assert len(cache) == 2
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("a", None, "c")
