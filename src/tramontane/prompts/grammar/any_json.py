"""Any JSON, as compactly as Python's `json.dumps` writes it: ", " and ": " between, no other blanks.

A model can then not lose itself in blanks. Numbers have bounded digits for the same reason.
"""

from typing import Final

from tramontane.prompts.grammar.ebnf import Definition
from tramontane.prompts.grammar.expressions import (
    ANY_CHARACTER,
    DIGIT,
    HEX_DIGIT,
    Characters,
    Rule,
    Text,
    characters,
    choice,
    optional,
    repeat,
    sequence,
    without,
)

MAX_DIGITS: Final = 18
"""Of a number before its point: within 64 bits."""
MAX_DECIMALS: Final = 23
"""What it takes to write any double: 17 digits, behind as many zeros as JavaScript writes before it turns to
exponents."""

QUOTE: Final = Text('"')
RAW_CHARACTER: Final = without(ANY_CHARACTER, Characters(((0, 0x1F),)), characters('"\\'))
"""What stands for itself in a string."""

VALUE: Final = Rule("value")
OBJECT: Final = Rule("object")
ARRAY: Final = Rule("array")
STRING: Final = Rule("string")
INTEGER: Final = Rule("integer")
NUMBER: Final = Rule("number")
BOOLEAN: Final = choice(Text("true"), Text("false"))
NULL: Final = Text("null")

STRING_END: Final = Rule("string_end")
"""Any characters, and the closing quote."""
FOLLOWS_STRING: Final = characters(",}]: ")
KEY_END: Final = Rule("key_end")
"""The same of a name that is written without escapes."""
ESCAPE: Final = Rule("escape")
"""What may follow a backslash in a string."""

_SURROGATES: Final = sequence(
    characters("dD"), characters("89abAB"), repeat(HEX_DIGIT, 2, 2),
    Text("\\u"), characters("dD"), characters(("c", "f"), ("C", "F")), repeat(HEX_DIGIT, 2, 2),
)  # fmt: skip

_FROM_ONE: Final = sequence(characters(("1", "9")), repeat(DIGIT, 0, MAX_DIGITS - 1))

RULES: Final[dict[str, Definition]] = {
    "value": Definition(choice(OBJECT, ARRAY, STRING, NUMBER, BOOLEAN, NULL)),
    "object": Definition(
        sequence(
            Text("{"),
            optional(
                sequence(
                    STRING,
                    Text(": "),
                    VALUE,
                    repeat(sequence(Text(", "), STRING, Text(": "), VALUE), 0, None),
                )
            ),
            Text("}"),
        )
    ),
    "array": Definition(
        sequence(
            Text("["), optional(sequence(VALUE, repeat(sequence(Text(", "), VALUE), 0, None))), Text("]")
        )
    ),
    "string": Definition(sequence(QUOTE, STRING_END)),
    "string_end": Definition(
        choice(
            QUOTE,
            sequence(RAW_CHARACTER, STRING_END),
            sequence(Text("\\"), ESCAPE, STRING_END),
        ),
        followed_by=FOLLOWS_STRING,
    ),
    "key_end": Definition(
        choice(QUOTE, sequence(RAW_CHARACTER, KEY_END)),
        followed_by=characters(":"),
    ),
    "escape": Definition(
        choice(
            characters('"\\/bfnrt'),
            sequence(Text("u"), without(HEX_DIGIT, characters("dD")), repeat(HEX_DIGIT, 3, 3)),
            sequence(Text("u"), characters("dD"), characters(("0", "7")), repeat(HEX_DIGIT, 2, 2)),
            sequence(Text("u"), _SURROGATES),
        )
    ),
    "integer": Definition(choice(Text("0"), sequence(optional(Text("-")), _FROM_ONE))),
    "number": Definition(
        sequence(
            optional(Text("-")),
            choice(Text("0"), _FROM_ONE),
            optional(sequence(Text("."), repeat(DIGIT, 1, MAX_DECIMALS))),
            optional(sequence(characters("eE"), optional(characters("+-")), repeat(DIGIT, 1, 2))),
        )
    ),
}
"""The rules behind the names above."""
