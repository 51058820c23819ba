"""Everything that our OpenAPI document allows, and much that it does not, with the checks of schemathesis."""

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks

from tests.api.fakes import fake_services
from tests.fuzz.conftest import ADMIN_KEY, effort
from tramontane.api.app import create_app
from tramontane.settings import Settings

pytestmark = pytest.mark.process

load_all_checks()

SERVED = {
    "ChatCompletionRequest": "mistral-small-latest",
    "FIMCompletionRequest": "codestral-latest",
    "EmbeddingRequest": "mistral-embed",
}
BY_DESIGN = [
    # What the document cannot say makes many a request one that is refused: the order of messages, the
    # features of a model, names that are taken.
    checks.positive_data_acceptance,
    # "5" is a number where one is due, as hosted.
    checks.negative_data_rejection,
    # A revoked key is still listed, as revoked.
    checks.use_after_free,
    # Keys are not made by the requests that this check looks at.
    checks.ensure_resource_availability,
    # The key comes with the call, so that this check cannot take it away: tests/api/test_security.py does.
    checks.ignored_auth,
]


def operations():
    """All that the document speaks of, with models that are served, since others are refused at once."""
    document = create_app(fake_services(), Settings()).openapi()
    for name, model in SERVED.items():
        document["components"]["schemas"][name]["properties"]["model"] = {"const": model}
    for methods in document["paths"].values():
        for described in methods.values():
            streams = described["responses"].get("200", {}).get("content", {})
            if "text/event-stream" in streams:
                # It describes the data of an event, as is usual, and is read here as the event around it.
                streams["text/event-stream"] = {}
    return [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
@effort(12)
@given(data=st.data(), mode=st.sampled_from(GenerationMode))
def test_an_answer_is_what_the_document_says(server, operation, data, mode):
    case = data.draw(operation.as_strategy(generation_mode=mode))
    key = ADMIN_KEY if case.path.startswith("/v1/admin") else server.key
    case.call_and_validate(
        base_url=server.base_url,
        headers={"authorization": f"Bearer {key}"},
        excluded_checks=BY_DESIGN,
        timeout=60,
    )
