"""The wire: every value comes back as it went, and nothing that is not ours gets in."""

from __future__ import annotations

import contextlib
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from llm_math_tests.answers.shared_inputs import MappedInputs, SharedInputs
from llm_math_tests.answers.values import ARRAY_DTYPES, Bfloat16, Odd, replica
from llm_math_tests.answers.wire import BadFrame, Decoder, Encoder, read_frame, write_frame

ARRAYS = st.sampled_from(ARRAY_DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(), ARRAYS,
    st.builds(Odd, st.text(max_size=20), st.text(max_size=20)), st.binary(max_size=20),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    max_leaves=6,
)


def there_and_back(value):
    encoder = Encoder()
    tree = encoder.tree(value)
    stream = io.BytesIO()
    write_frame(stream, {"value": tree}, encoder.blobs)
    stream.seek(0)
    header, blobs = read_frame(stream)
    return Decoder(blobs).value(header["value"])


def same(first, second):
    assert type(first) is type(second)
    if isinstance(first, np.ndarray):
        assert first.dtype == second.dtype
        assert first.shape == second.shape
        assert first.tobytes() == second.tobytes()
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for a, b in zip(first, second, strict=True):
            same(a, b)
    elif isinstance(first, dict):
        assert list(first) == list(second)
        for key in first:
            same(first[key], second[key])
    elif isinstance(first, float) and math.isnan(first):
        assert math.isnan(second)
    else:
        assert first == second


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_every_value_comes_back_as_it_went(value):
    same(value, there_and_back(value))


def test_bfloat16_keeps_its_bits():
    sent = Bfloat16.of(np.array([[1.0, -0.0, 3.14159], [np.inf, np.nan, 1e-40]]))
    back = there_and_back(sent)
    np.testing.assert_array_equal(back.to_bits(), sent.to_bits())


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["@", "dtype", "shape", "blob", "items", "id", "type", "looks"]),
            st.one_of(inner, st.sampled_from(["array", "tuple", "dict", "odd", "bytes", "shared"])),
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_whatever_else_arrives_is_refused_or_harmless(tree):
    with contextlib.suppress(BadFrame):
        Decoder([b"12345678"]).value(tree)


@pytest.mark.parametrize(
    "tree",
    [
        {"@": "array", "dtype": "object", "shape": [1], "blob": 0},
        {"@": "array", "dtype": "float64", "shape": [2], "blob": 0},
        {"@": "array", "dtype": "float64", "shape": [-1], "blob": 0},
        {"@": "array", "dtype": "float64", "shape": [10**30, 0], "blob": 0},
        {"@": "array", "dtype": "float64", "shape": [1], "blob": 7},
        {"@": "shared", "offset": 0},
        {"@": "given", "id": 0, "name": "f"},
        [1, 2],
    ],
)
def test_a_lying_description_is_refused(tree):
    with pytest.raises(BadFrame):
        Decoder([b"12345678"]).value(tree)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\xff\x00\x00\x00\x00",
        b"\x02\x00\x00\x00\x00\x00\x00\x00[]",
        b"\x03\x00\x00\x00\x00\x00\x00\x00{x}",
    ],
)
def test_a_frame_that_is_none_is_refused_before_it_is_read(frame):
    with pytest.raises(BadFrame):
        read_frame(io.BytesIO(frame))


def test_a_deep_value_is_refused():
    tree = json.loads('{"@": "list", "items": [' * 100 + "1" + "]}" * 100)
    with pytest.raises(BadFrame, match="nested deeper"):
        Decoder([]).value(tree)


class TestSharedInputs:
    @pytest.fixture
    def shared(self, tmp_path):
        made = SharedInputs(tmp_path)
        yield made
        made.close()

    def test_strides_and_writeability_reach_the_other_side(self, shared):
        wide = np.arange(24.0).reshape(4, 6)[:, ::3]
        fixed = np.arange(3, dtype=np.int32)
        fixed.flags.writeable = False
        shared.begin([wide, fixed])
        trees = [shared.lay_out(wide, "wide"), shared.lay_out(fixed, "fixed")]
        mapped = MappedInputs(str(shared.folder))
        there = [mapped.find(tree) for tree in trees]
        for mine, other in zip((wide, fixed), there, strict=True):
            np.testing.assert_array_equal(mine, other)
            assert mine.strides == other.strides
            assert mine.flags.writeable == other.flags.writeable
        assert shared.changed() == ()
        there[0][0, 0] = 9
        assert shared.changed() == ("wide",)

    def test_it_grows_for_a_large_input(self, shared):
        large = np.ones((1024, 1024))
        mapped = MappedInputs(str(shared.folder))
        shared.begin([np.ones(3)])
        mapped.find(shared.lay_out(np.ones(3), "small"))
        shared.begin([large])
        np.testing.assert_array_equal(mapped.find(shared.lay_out(large, "large")), large)

    def test_empty_and_scalar_arrays_fit(self, shared):
        arrays = [np.zeros((0, 5)), np.array(3.0)]
        shared.begin(arrays)
        mapped = MappedInputs(str(shared.folder))
        for array in arrays:
            np.testing.assert_array_equal(mapped.find(shared.lay_out(array, "x")), array)


def test_a_replica_has_the_strides_and_not_the_memory():
    wide = np.arange(12.0).reshape(3, 4)[:, 1::2]
    copy = replica(wide)
    assert copy.strides == wide.strides
    np.testing.assert_array_equal(copy, wide)
    copy[0, 0] = -1
    assert wide[0, 0] == 1
