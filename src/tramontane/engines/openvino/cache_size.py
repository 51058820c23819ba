"""What the engine keeps of each token of a context."""


def cache_bytes_per_token(layers: int, kv_heads: int, head_size: int) -> int:
    """A key and a value a head: 8 bits a number, and a scale and a zero point of 32 bits."""
    return 2 * layers * kv_heads * (head_size + 8)
