from collections import Counter

from tramontane.engines.upstream.ring import HashRing

KEYS = [f"conversation {number}".encode() for number in range(2000)]


def owners(names):
    ring = HashRing(names)
    return {key: names[next(ring.walk(key))] for key in KEYS}


def test_keys_are_spread_over_all_names():
    names = [f"http://gpu{number}/v1" for number in range(8)]

    shares = Counter(owners(names).values())

    assert set(shares) == set(names)
    assert max(shares.values()) < 2 * len(KEYS) / 8


def test_a_name_that_goes_takes_only_its_own_keys_along():
    names = [f"http://gpu{number}/v1" for number in range(8)]

    before, after = owners(names), owners(names[:-1])

    assert all(after[key] == owner for key, owner in before.items() if owner != names[-1])


def test_the_order_in_which_names_are_listed_changes_nothing():
    names = [f"http://gpu{number}/v1" for number in range(5)]

    assert owners(names) == owners(names[::-1])


def test_a_walk_meets_every_name_once():
    ring = HashRing(["a", "b", "c"])

    assert all(sorted(ring.walk(key)) == [0, 1, 2] for key in KEYS[:50])
