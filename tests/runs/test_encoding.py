"""What is written as JSON is read back as it was, but for numbers that are none."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.runs.encoding import encoded, plain

LEAVES = st.none() | st.booleans() | st.integers(-(2**130), 2**130) | st.floats() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


@given(VALUES)
@settings(max_examples=500, deadline=None)
def test_values_are_read_back(value: Any) -> None:
    text = encoded(value)
    assert b"\n" not in text and json.loads(text) == plain(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=500, deadline=None)
def test_floats_are_read_back_to_the_last_bit(number: float) -> None:
    found = json.loads(encoded([number]))[0]
    assert type(found) is float and struct.pack("d", found) == struct.pack("d", number)


def test_what_is_no_number_is_null_and_a_name_need_not_be_unicode() -> None:
    assert (
        encoded({"a": float("nan"), "b": [float("inf"), (-float("inf"), 1.5)]}) == b'{"a":null,"b":[null,[null,1.5]]}'
    )
    assert json.loads(encoded({"n": "day\udc80", "x": float("nan")})) == {"n": "day\udc80", "x": None}
    with pytest.raises(TypeError):
        encoded({"x": object()})
