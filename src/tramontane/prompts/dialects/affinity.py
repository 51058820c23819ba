"""What requests of one conversation have in common, so that a server meets again what is in its cache."""

import hashlib
from typing import Final

from tramontane.schemas.chat import ChatCompletionRequest
from tramontane.schemas.fim import FIMCompletionRequest
from tramontane.schemas.messages import UserMessage

_SIZE: Final = 16
_FIM_CHARACTERS: Final = 1024
"""Of the code before a gap: its beginning stays while the gap moves on."""


def affinity(request: ChatCompletionRequest | FIMCompletionRequest, workspace_id: str) -> bytes:
    """The client's own key for it, or else a hash of how it begins: up to what the user says first."""
    hashed = hashlib.blake2b(digest_size=_SIZE)
    if request.prompt_cache_key:
        hashed.update(f"{workspace_id} {request.prompt_cache_key}".encode(errors="replace"))
    elif isinstance(request, FIMCompletionRequest):
        hashed.update(request.prompt[:_FIM_CHARACTERS].encode(errors="replace"))
    else:
        for message in request.messages:
            hashed.update(message.model_dump_json(exclude_unset=True).encode(errors="replace"))
            if isinstance(message, UserMessage):
                break
    return hashed.digest()
