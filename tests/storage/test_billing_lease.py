import pytest

from tests.storage.test_billing import set_limit
from tests.support.billing import audit, outcome, request, rows
from tests.support.clock import FakeClock
from tramontane.billing.service import BillingService
from tramontane.billing.spending.lease import BEAT, LEASE, Lease
from tramontane.storage.tables import reservation_holders, reservations

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock():
    return FakeClock()


async def always():
    return True


async def test_what_a_dead_process_held_is_free_after_the_lease(database, clock):
    await set_limit(database, 1)
    dead = BillingService(database, clock)
    dead._writer.start()  # without its lease: it never shows life
    await dead.reserve(request())
    survivor = Lease(database, clock, always)

    await survivor.look()
    clock.advance(LEASE - 1)
    await survivor.look()
    assert len(await rows(database, reservations)) == 1
    clock.advance(1)
    await survivor.look()

    assert await rows(database, reservations) == []
    await audit(database)
    await dead.close()


async def test_who_shows_life_keeps_what_it_holds(database, clock):
    one, other = Lease(database, clock, always), Lease(database, clock, always)

    for _ in range(10):
        await one.look()
        await other.look()
        clock.advance(BEAT)

    assert len(await rows(database, reservation_holders)) == 2


async def test_a_request_that_outlives_its_lease_is_billed_in_full(database, clock):
    """A process that was stopped for a while and goes on."""
    await set_limit(database, 1)
    stopped = BillingService(database, clock)
    stopped._writer.start()
    reservation = await stopped.reserve(request())
    survivor = Lease(database, clock, always)
    await survivor.look()
    clock.advance(LEASE)
    await survivor.look()

    await stopped.settle(reservation, outcome())

    assert reservation.request.request_id in await audit(database)
    await stopped.close()


async def test_a_process_that_ends_releases_what_it_holds(database, clock):
    await set_limit(database, 1)
    billing = BillingService(database, clock)
    await billing.start()
    await billing._lease.look()
    await billing.reserve(request())

    await billing.close()

    assert await rows(database, reservations) == []
    assert await rows(database, reservation_holders) == []
    await audit(database)


async def test_without_limits_no_life_is_shown(database, clock):
    billing = BillingService(database, clock, beat=0.001)
    await billing.start()
    await billing.settle(await billing.reserve(request()), outcome())
    await billing.close()

    assert await rows(database, reservation_holders) == []
