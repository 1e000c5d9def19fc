"""True answers with wrong content: keys missing, values empty, of another type or null.

Pure functions of a JSON body and a source of chance; a fifth of the values is spoiled.
"""

import copy
import random
from collections.abc import Iterator
from typing import Any

SPOILED_SHARE = 0.2
_EMPTY = ("", "<invalid>")

Place = tuple[dict[str, Any], str]


def spoiled(kind: str, body: Any, chance: random.Random) -> Any:
    """A copy of an answer's body, spoiled below `response` (or as a whole, if it has none).

    `missing_keys` drops values, `empty_values` makes them "" or "<invalid>", `wrong_types`
    turns numbers into strings and strings into numbers, `null_states` makes a car's `state` and
    all nested objects null, `null_response` the whole response.
    """
    body = copy.deepcopy(body)
    is_enveloped = isinstance(body, dict) and "response" in body
    if kind == "null_response":
        return {**body, "response": None} if is_enveloped else None
    content = body["response"] if is_enveloped else body
    if kind == "null_states":
        for one in content if isinstance(content, list) else [content]:
            _make_null(one)
        return body
    places = list(_values(content))
    for number, (holder, key) in enumerate(chance.sample(places, _share(len(places)))):
        if kind == "missing_keys":
            del holder[key]
        elif kind == "empty_values":
            holder[key] = _EMPTY[number % 2]
        else:
            holder[key] = _of_another_type(holder[key])
    return body


def _share(count: int) -> int:
    return min(count, max(1, round(count * SPOILED_SHARE)))


def _values(content: Any) -> Iterator[Place]:
    """Where the values are that are neither null nor objects nor lists."""
    if isinstance(content, list):
        for one in content:
            yield from _values(one)
    elif isinstance(content, dict):
        for key, value in content.items():
            if isinstance(value, dict | list):
                yield from _values(value)
            elif value is not None:
                yield content, key


def _make_null(content: Any) -> None:
    if not isinstance(content, dict):
        return
    for key, value in content.items():
        if key == "state" or isinstance(value, dict | list):
            content[key] = None


def _of_another_type(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else 7
