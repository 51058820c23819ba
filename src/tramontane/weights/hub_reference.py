"""How a model of the hub is written: `[hf:]ORGANISATION/NAME[/FILE.gguf | :QUANTISATION][@REVISION]`."""

import re
from typing import Final

from tramontane.weights.source import HubSource

PREFIX: Final = "hf:"
"""Says that a reference is one, where it could also be a path."""

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_REFERENCE: Final = re.compile(
    rf"(?P<repository>{_NAME}/{_NAME})"
    r"(?:/(?P<file>[^@:]+\.gguf)|:(?P<quantization>[A-Za-z0-9_]+))?"
    r"(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]*))?",
    re.IGNORECASE,
)


def parse_hub_reference(text: str) -> HubSource | None:
    """The source that `text` names; None if it is no such reference."""
    match = _REFERENCE.fullmatch(text.removeprefix(PREFIX))
    if match is None or ".." in text:
        return None
    quantization = match["quantization"]
    return HubSource(
        repository=match["repository"],
        revision=match["revision"] or "main",
        file=match["file"],
        quantization=quantization.upper() if quantization else None,
    )
