from tests.support.clock import FakeClock
from tramontane.storage.revision_cache import RevisionCache


def test_a_value_is_remembered_while_the_revision_is_that_of_its_query():
    cache = RevisionCache(FakeClock(), size=2)
    cache.put("a", 1, revision=7)

    assert cache.get("a", revision=7) == 1
    assert cache.get("a", revision=8) is None
    assert cache.get("b", revision=7) is None


def test_a_value_is_remembered_until_it_is_too_old():
    clock = FakeClock()
    cache = RevisionCache(clock, size=2, seconds=5)
    cache.put("a", 1, revision=7)

    clock.advance(4.9)
    assert cache.get("a", revision=7) == 1
    clock.advance(0.2)
    assert cache.get("a", revision=7) is None


def test_the_oldest_goes_when_it_is_full():
    cache = RevisionCache(FakeClock(), size=2)
    for name in "abac":
        cache.put(name, name, revision=7)

    assert len(cache) == 2
    assert [cache.get(name, revision=7) for name in "abc"] == ["a", None, "c"]
