"""Formats of strings: each text that is accepted is valid, though not each valid text is accepted."""

from functools import cache
from typing import Final

from tramontane.prompts.grammar.automata import Automaton, Work, automaton_of
from tramontane.prompts.grammar.patterns import expression_from_pattern

_YEAR: Final = "[1-9][0-9]{3}"
_LEAP_YEAR: Final = "(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)"
_DATE: Final = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP_YEAR}-02-29)"
)
_TIME: Final = (
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_LABEL: Final = "[a-z0-9](?:[a-z0-9-]{0,14}[a-z0-9])?"
_TOP_LABEL: Final = "[a-z]{2,12}"
_HOST: Final = rf"(?:{_LABEL}\.){{1,3}}{_TOP_LABEL}"
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_PATTERNS: Final[dict[str, str]] = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f"{_DATE}T{_TIME}",
    "duration": "P(?:[0-9]{1,4}W|[0-9]{1,4}D(?:T(?:[0-9]{1,4}H)?[0-9]{1,4}M[0-9]{1,4}S)?|T[0-9]{1,4}[HMS])",
    "email": rf"[A-Za-z0-9_+-]{{1,24}}(?:\.[A-Za-z0-9_+-]{{1,24}})?@{_HOST}",
    "hostname": _HOST,
    "ipv4": rf"(?:{_OCTET}\.){{3}}{_OCTET}",
    "ipv6": "(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}",
    "uri": rf"https?://{_HOST}(?::[1-9][0-9]{{1,3}})?(?:/[A-Za-z0-9._~-]{{0,24}}){{0,4}}"
    r"(?:\?[A-Za-z0-9._~=&+-]{1,32})?",
    "uuid": _UUID,
}

FORMATS: Final = frozenset(_PATTERNS)
"""The formats that are enforced."""

UNENFORCED: Final = frozenset(
    {"idn-email", "idn-hostname", "iri", "iri-reference", "json-pointer", "relative-json-pointer"}
    | {"regex", "uri-reference", "uri-template"}
)
"""Formats of the standard that are refused. All other names are notes, as the standard has it."""


@cache
def automaton_of_format(name: str) -> Automaton:
    """What the texts of one of `FORMATS` have in common."""
    return automaton_of(expression_from_pattern(f"^(?:{_PATTERNS[name]})$"), Work())
