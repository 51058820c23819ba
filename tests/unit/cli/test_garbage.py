import gc

import pytest

from tramontane.cli.garbage import settle_garbage


@pytest.fixture(autouse=True)
def collector():
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Knot:
    def __init__(self):
        self.itself = self


def test_what_a_start_has_made_is_not_looked_at_again():
    made = Knot()

    settle_garbage()

    assert made not in gc.get_objects()


def test_what_comes_later_is_still_collected():
    settle_garbage()
    before = len(gc.get_objects())
    for _ in range(1000):
        Knot()

    gc.collect()

    assert len(gc.get_objects()) < before + 500
