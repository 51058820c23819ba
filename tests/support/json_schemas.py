"""Random JSON Schemas of what is enforced, for hypothesis and for seeded runs alike."""

from hypothesis import strategies as st

NAMES = ["a", "ab", "b", "id", "name", "naïve", 'q"uote', "tags", "x y"]
FORMATS = ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"]
PATTERNS = ["^[a-z]{1,5}$", r"^\d{3}-\d{2}$", "^(yes|no)$", "^#[0-9a-f]{6}$", "^[A-Z][a-z]+( [A-Z][a-z]+)?$"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1000, 1000),
    st.floats(-1000, 1000).map(lambda number: round(number, 3)),
    st.text(max_size=6).filter(lambda text: text.isprintable()),
)


def bounds(low, high, values):
    """Values in order for two keywords, either of which may be missing."""

    @st.composite
    def draw_bounds(draw):
        least, most = sorted((draw(values), draw(values)))
        return ({low: least} if draw(st.booleans()) else {}) | ({high: most} if draw(st.booleans()) else {})

    return draw_bounds()


def typed(name, *parts):
    """A schema of one type with the keywords of `parts`."""
    return st.tuples(*parts).map(
        lambda drawn: {"type": name} | {k: v for part in drawn for k, v in part.items()}
    )


LEAVES = st.one_of(
    st.just({"type": "null"}),
    st.just({"type": "boolean"}),
    st.just({"type": ["string", "null"]}),
    typed("integer", bounds("minimum", "maximum", st.integers(-1500, 1500))),
    typed(
        "number", bounds("minimum", "exclusiveMaximum", st.floats(-90, 90).map(lambda x: round(x, 2)))
    ).filter(
        lambda schema: (
            schema.get("minimum") is None or schema.get("minimum") != schema.get("exclusiveMaximum")
        )
    ),
    typed("string", bounds("minLength", "maxLength", st.integers(0, 8))),
    st.sampled_from(FORMATS).map(lambda name: {"type": "string", "format": name}),
    st.sampled_from(PATTERNS).map(lambda pattern: {"type": "string", "pattern": pattern}),
    st.lists(SCALARS, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    SCALARS.map(lambda value: {"const": value}),
    st.just({"$ref": "#/$defs/node"}),
)


@st.composite
def objects(draw, children):
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    schema = {"type": "object", "properties": {name: draw(children) for name in names}}
    if names:
        schema["required"] = draw(st.lists(st.sampled_from(names), unique=True))
    extra = draw(st.sampled_from(["absent", False, True, "schema"]))
    if extra != "absent":
        schema["additionalProperties"] = draw(children) if extra == "schema" else extra
    if extra in {"absent", False} and names:
        schema |= draw(bounds("minProperties", "maxProperties", st.integers(0, len(names))))
        if schema.get("maxProperties", len(names)) < len(schema["required"]):
            del schema["maxProperties"]
    return schema


@st.composite
def arrays(draw, children):
    schema = {"type": "array", "items": draw(children)} | draw(
        bounds("minItems", "maxItems", st.integers(0, 4))
    )
    if draw(st.booleans()):
        schema["prefixItems"] = draw(st.lists(children, min_size=1, max_size=3))
    return schema


@st.composite
def tagged_unions(draw, children):
    tags = draw(st.lists(st.sampled_from(["x", "y", "z"]), unique=True, min_size=1))
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": tag}, "value": draw(children)},
                "required": ["kind", "value"],
                "additionalProperties": False,
            }
            for tag in tags
        ]
    }


def containers(children):
    return st.one_of(
        objects(children),
        objects(children),
        arrays(children),
        tagged_unions(children),
        st.lists(children, min_size=1, max_size=3).map(lambda members: {"anyOf": members}),
    )


NODE = {
    "type": "object",
    "properties": {
        "value": {"type": "integer"},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    },
    "required": ["value"],
}

SCHEMAS = st.recursive(LEAVES, containers, max_leaves=6).map(
    lambda schema: {"$defs": {"node": NODE}} | schema
)
"""Schemas that can be enforced, and most of which are not empty."""

OBJECT_SCHEMAS = objects(st.recursive(LEAVES, containers, max_leaves=4)).map(
    lambda schema: {"$defs": {"node": NODE}} | schema
)
