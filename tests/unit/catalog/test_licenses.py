import pytest

from tramontane.catalog.licenses import require_acceptance
from tramontane.errors import ConfigurationError
from tramontane.weights.hub import HubListing
from tramontane.weights.hub_files import NeededFiles

NEEDED = NeededFiles([])


def listing(repository, license_name=None):
    return HubListing(repository, "c" * 40, [], license_name, gated=False, parameters=None)


@pytest.mark.parametrize(
    "free",
    [
        listing("mistralai/Ministral-3-3B-Instruct-2512"),
        listing("me/mine", "apache-2.0"),
        listing("me/mine", "own"),
        listing("me/mine"),
    ],
)
def test_what_is_free_or_unknown_passes(free):
    require_acceptance(accepted=False)(free, NEEDED)


RESTRICTED = listing("mistralai/Codestral-22B-v0.1", "mnpl")


def test_what_is_restricted_is_shown_and_must_be_accepted():
    with pytest.raises(ConfigurationError) as refusal:
        require_acceptance(accepted=False)(RESTRICTED, NEEDED)
    text = str(refusal.value)
    assert "Mistral AI Non-Production License" in text
    assert "never in production" in text
    assert "https://mistral.ai/static/licenses/MNPL-0.1.md" in text
    assert "--accept-licence" in text
    require_acceptance(accepted=True)(RESTRICTED, NEEDED)


def test_somebody_elses_copy_under_a_restricted_licence_is_restricted():
    with pytest.raises(ConfigurationError, match="Research License"):
        require_acceptance(accepted=False)(listing("me/Mistral-Large-Instruct-2411-GGUF", "mrl"), NEEDED)


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_is_asked(answer):
    asked = []

    def ask(question):
        asked.append(question)
        return answer

    approve = require_acceptance(accepted=False, ask=ask)
    if answer:
        approve(RESTRICTED, NEEDED)
    else:
        with pytest.raises(ConfigurationError, match="was not accepted; nothing was fetched"):
            approve(RESTRICTED, NEEDED)
    assert "Non-Production" in asked[0]
