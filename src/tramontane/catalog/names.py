"""Which of several models answers to which id."""

from collections.abc import Mapping, Sequence

from tramontane.catalog.profile import ModelProfile
from tramontane.errors import ConfigurationError


def names_of(profiles: Sequence[ModelProfile]) -> Mapping[str, ModelProfile]:
    """The model for each id and alias.

    A name of the model itself goes before one that another only stands in for, an alias that was chosen for a
    model before those that are left over, and of two models with the same claim the first.

    Raises:
        ConfigurationError: two models have the same id of their own.
    """
    ids = [profile.id for profile in profiles]
    if len(set(ids)) < len(ids):
        twice = next(model_id for model_id in ids if ids.count(model_id) > 1)
        raise ConfigurationError(
            f"Two models are called {twice}. Rename the file or folder of one of them, or give it another id "
            f"in its [[models]] table."
        )
    names: dict[str, ModelProfile] = {}
    for claims in (
        [(name, profile) for profile in profiles for name in (profile.id, *profile.own_aliases)],
        [(name, profile) for profile in profiles if not profile.yields for name in profile.aliases],
        [(name, profile) for profile in profiles if profile.yields for name in profile.aliases],
    ):
        for name, profile in claims:
            names.setdefault(name, profile)
    return names
