import pytest

from tests.support.api_stand_in import ApiStandIn


@pytest.fixture
def stand_in():
    with ApiStandIn().serving() as server:
        yield server
