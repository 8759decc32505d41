"""JSON stored with its checksum."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.runs.checksum import digest, verified, with_checksum


def test_what_is_stored_with_its_checksum_is_finite_and_has_an_entry_a_line() -> None:
    body = {"state": "é", "metrics": {"bytes": 3, "half": 0.1}, "checkpoints": [{"epoch": 1}, {"epoch": 2}]}
    text = with_checksum(body)
    assert verified(text) == body and text.count(b"\n") == len(body) + 2
    with pytest.raises(ValueError, match="JSON compliant"):
        with_checksum({"value": float("nan")})
    with pytest.raises(ValueError, match="SHA-256"):  # though what it was made from is remembered
        verified(text.replace(b"0.1", b"0.2"))
    assert verified(text) == body


PARTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=80)
@given(st.dictionaries(st.text().filter(lambda key: key != "digest"), PARTS, max_size=5))
def test_a_checksum_is_that_of_the_json_with_its_keys_in_order(body: dict[str, Any]) -> None:
    expected = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    text = with_checksum(body)
    assert json.loads(text) == {**body, "digest": expected} and digest({**body, "digest": "x"}) == expected
    for data in (text, json.dumps({**body, "digest": expected}).encode()):  # remembered, and read
        found = verified(data)
        assert found == body
        found["more"] = 1
        assert verified(data) == body
