"""The grammar of a thought before an answer that must have a form."""

from typing import Final

from tramontane.core.output_format import Section, TaggedThoughts, ThoughtFormat, TokenThoughts
from tramontane.prompts.grammar.builder import GrammarBuilder, Ref
from tramontane.prompts.grammar.expressions import characters, repeat

_BLANKS: Final = repeat(characters(" \n"), 0, 4)
"""Between a tag and the answer."""


def thought_and(builder: GrammarBuilder, form: ThoughtFormat, answer: Ref, begins_in: Section) -> Ref:
    """`answer`, behind a thought if the model likes; behind its rest, if the prompt begins one."""
    match form:
        case TaggedThoughts():
            start, end = builder.tag(form.start, form.tokens), builder.tag(form.end, form.tokens)
            behind = builder.sequence(_BLANKS, answer)
        case TokenThoughts():
            start, end, behind = builder.token(form.start), builder.token(form.end), answer
    thought = builder.text_until(end, behind)
    if begins_in is Section.THOUGHT:
        return thought
    return builder.choice(answer, builder.sequence(builder.literal(start), thought))
