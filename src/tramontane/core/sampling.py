"""How an engine chooses the next token of one sequence."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """Every engine obeys every field or refuses it with an `ApiError`; none is ignored.

    Stop *strings* and `n` are not here: text is the business of `parsing`, and `n` answers are `n` sequences.
    """

    max_tokens: int
    """At least 1; already clamped to what context and cache can hold."""
    min_tokens: int = 0
    """No stop token is sampled before this many. With a grammar, it alone says where the answer may end."""
    temperature: float = 1.0
    """In [0, 2]; 0 is greedy."""
    top_p: float = 1.0
    """In (0, 1]."""
    top_k: int = 0
    """0 is off."""
    presence_penalty: float = 0.0
    """-2..2, over generated tokens, as OpenAI defines it."""
    frequency_penalty: float = 0.0
    """-2..2, over generated tokens, as OpenAI defines it."""
    repetition_penalty: float = 1.0
    """Above 0, over prompt and generated tokens; 1 is off."""
    seed: int | None = None
    """Unsigned 64 bit; None draws a new one."""
    stop_token_ids: frozenset[int] = field(default_factory=frozenset)
    """Generation ends with one of these, which is then not part of the answer."""
    grammar: str | None = None
    """EBNF in xgrammar's dialect, whose rule `root` the answer spells from its first token to its last.

    A stop token, which must be a control token, is possible only where the grammar may end. Other control
    tokens are possible where the grammar has the character that stands for them, one above U+FFFFF
    (`EngineInfo.control_characters`); no text has these. Where any text may come, and the answer may end with
    every character of it, the class must have the characters of the stop tokens, too; nowhere else. An answer
    of `max_tokens` may be cut before the grammar ends. Every rule must be able to end.
    """
    logprobs: bool = False
    """The answer's tokens come with their log-probabilities: `EngineDelta.logprobs`."""
