"""Licences of open weights: what restricts use is shown, and accepted before the first byte is fetched."""

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from tramontane.catalog.hosted import hosted_model_of
from tramontane.errors import ConfigurationError

if TYPE_CHECKING:
    from tramontane.weights.hub import HubListing
    from tramontane.weights.hub_fetch import Approve
    from tramontane.weights.hub_files import NeededFiles


class License(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The terms of some weights."""

    id: str
    """SPDX identifier, or else the makers' own short name."""
    name: str
    url: str
    hub_names: tuple[str, ...] = ()
    """What cards of the hub call it, if not by its id."""
    restriction: str | None = None
    """Who may not use them for what, in a few words; None if all may for everything."""


class _Licenses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    licenses: tuple[License, ...]


@cache
def known_licenses() -> tuple[License, ...]:
    """Those that the catalog speaks of."""
    text = (files("tramontane.catalog") / "data" / "licenses.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _Licenses).licenses


def find_license(name: str) -> License | None:
    """The licence of that id, or that a card of the hub calls so."""
    for known in known_licenses():
        if name.lower() in {known.id.lower(), *known.hub_names}:
            return known
    return None


def license_of(repository: str, card_license: str | None) -> License | None:
    """The licence of the weights in `repository`: the catalog's word, or else that of the card."""
    hosted = hosted_model_of(repository)
    if hosted is not None and hosted.weights is not None:
        return find_license(hosted.weights.license)
    return find_license(card_license) if card_license else None


def require_acceptance(
    *,
    accepted: bool,
    ask: Callable[[str], bool] | None = None,
) -> "Approve":
    """What a `HubAccess` calls before a fetch, which lets pass what is free or accepted.

    Args:
        accepted: the operator has said so beforehand.
        ask: shows a question to a person and gives the answer; None where there is nobody to ask.
    """

    def approve(listing: "HubListing", _: "NeededFiles") -> None:
        terms = license_of(listing.repository, listing.license)
        if terms is None or terms.restriction is None or accepted:
            return
        question = (
            f"The weights of {listing.repository} are under the {terms.name}: {terms.restriction}.\n"
            f"Its text: {terms.url}"
        )
        if ask is None:
            raise ConfigurationError(
                f"{question}\nIf you accept it, say so: --accept-licence, TRAMONTANE_ACCEPT_LICENCE=true."
            )
        if not ask(question):
            raise ConfigurationError(f"The {terms.name} was not accepted; nothing was fetched.")

    return approve
