"""What a value of a setting has to be, in words that need no knowledge of Python."""

from __future__ import annotations

from pydantic_core import ErrorDetails

#: By pydantic's type of an error; braces stand for entries of its context.
_MUST_BE = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "path_type": "a path, as text",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "literal_error": "{expected}",
    "greater_than": "greater than {gt}",
    "greater_than_equal": "greater than or equal to {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "less than or equal to {le}",
    "multiple_of": "a multiple of {multiple_of}",
}
_MUST_HOLD = {
    "too_short": "at least {min_length} {items}",
    "too_long": "at most {max_length} {items}",
    "string_too_short": "at least {min_length} {characters}",
    "string_too_long": "at most {max_length} {characters}",
}
_TABLES = ("dict_type", "model_type", "model_attributes_type")


def wanted(problem: ErrorDetails) -> str | None:
    """What the value must be, such as ``must be a whole number``; None where pydantic's own words have to do."""
    kind, given = problem["type"], problem.get("ctx", {})
    context = {
        name: int(each) if isinstance(each, float) and each.is_integer() else each for name, each in given.items()
    }
    if kind in _MUST_BE:
        return f"must be {_MUST_BE[kind].format_map(context)}"
    if kind in _MUST_HOLD:
        one = 1 in (context.get("min_length"), context.get("max_length"))
        words = {"items": "item" if one else "items", "characters": "character" if one else "characters"}
        return f"must have {_MUST_HOLD[kind].format_map(context | words)}"
    return None


def way_out(problem: ErrorDetails, key: str, given: object) -> str | None:
    """How to write it, as far as what was given tells."""
    kind = problem["type"]
    if kind == "string_type" and type(given) in (int, float):
        return f'write it in quotes: "{given}"'
    if kind == "tuple_type" and isinstance(given, str):
        return f'write it as {key} = ["{given}"]' if given.isprintable() else f'write it as {key} = ["..."]'
    if kind == "tuple_type" and type(given) in (int, float):
        return f"write it as {key} = [{given}]"
    if kind in _TABLES:
        return f"write it as {key} = {{ name = value }}, or under a heading of its own"
    return None
