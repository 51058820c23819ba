"""`POST /v1/fim/completions`: the request."""

from tramontane.schemas.base import WireModel
from tramontane.schemas.sampling import Metadata, RandomSeed, Stop, Temperature, TokenCount, TopP


class FIMCompletionRequest(WireModel):
    """Code before a gap, code after it, and how the gap is to be filled."""

    model: str
    temperature: Temperature = None
    top_p: TopP = None
    max_tokens: TokenCount = None
    stream: bool = False
    stop: Stop = None
    random_seed: RandomSeed = None
    metadata: Metadata = None
    prompt: str
    suffix: str | None = ""
    min_tokens: TokenCount = None
    prompt_cache_key: str | None = None
