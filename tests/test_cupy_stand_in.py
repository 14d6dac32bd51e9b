"""The CuPy stand-in: it offers nothing CuPy lacks, refuses what CuPy refuses, computes like NumPy.

Nothing here needs a GPU. Where CuPy is installed, its names and signatures are the judge.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from llm_math_tests import stand_in
from llm_math_tests.stand_in import offered, survey

CP: Any = stand_in.modules()["cupy"]
CPX: Any = stand_in.modules()["cupyx"]
SPECIAL: Any = stand_in.modules()["cupyx.scipy.special"]
HOST = np.array([[3.0, -1.0, 2.0], [0.5, 4.0, -2.5]])
DTYPES = ["float16", "float32", "float64"]


def device(values: Any = HOST, dtype: Any = None) -> Any:
    return stand_in.to_device(np.array(values, dtype=dtype))


def same(ours: Any, theirs: Any) -> None:
    """Equal values, dtype and shape, and ours is an array of the stand-in."""
    assert type(ours) is stand_in.ndarray
    theirs = np.asarray(theirs)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours.get(), theirs, rtol=1e-3 if ours.dtype == "float16" else 1e-6)


class TestAgainstTheInstalledCupy:
    @pytest.fixture
    def cupy(self) -> Any:
        # The real package, though the stand-in may be installed by another test.
        if importlib.util.find_spec("cupy") is None:
            pytest.skip("CuPy is not installed, so there is nothing to compare with")
        return pytest.importorskip("cupy", reason="CuPy does not import here")

    @pytest.mark.parametrize("place", sorted(stand_in.modules()))
    def test_every_name_offered_exists(self, cupy: Any, place: str) -> None:
        try:
            theirs = importlib.import_module(place)
        except ImportError:
            # `cupy.cuda.runtime` is an attribute of a module, and no module to import.
            theirs = cupy.cuda.runtime
        ours = [name for name in dir(stand_in.modules()[place]) if not name.startswith("_")]
        assert [name for name in ours if not hasattr(theirs, name)] == []

    @pytest.mark.parametrize("name", sorted(survey.CLASSES))
    def test_every_attribute_of_a_class_exists(self, cupy: Any, name: str) -> None:
        place, _, cls = name.rpartition(".")
        theirs = getattr(importlib.import_module(place), cls)
        ours = getattr(stand_in.modules()[place], cls)
        # These two are set by CuPy's constructor, so its class does not show them.
        set_later = {"size", "base", "data", "dtype"}
        extra = {n for n in dir(ours) if not n.startswith("_")} - set(dir(theirs)) - set_later
        assert extra == set()

    @pytest.mark.parametrize("name", ["Device", "Event", "Stream", "MemoryPool"])
    def test_every_attribute_of_cuda_exists(self, cupy: Any, name: str) -> None:
        ours, theirs = getattr(CP.cuda, name), getattr(cupy.cuda, name)
        assert {n for n in dir(ours) if not n.startswith("_")} <= set(dir(theirs)) | {"id"}

    @pytest.mark.parametrize("place", ["cupy", "cupy.linalg", "cupy.fft", "cupy.random", "cupyx"])
    def test_every_signature_is_the_same(self, cupy: Any, place: str) -> None:
        self._same_version(cupy)
        theirs = importlib.import_module(place)
        for name in offered.names(place, "functions"):
            ours = getattr(stand_in.modules()[place], name)
            expected = survey.parameters_of(getattr(theirs, name))
            assert survey.written_out(inspect.signature(ours)) == expected, name

    def test_every_method_s_signature_is_the_same(self, cupy: Any) -> None:
        self._same_version(cupy)
        for name, parameters in offered.names("cupy.ndarray", "methods").items():
            assert survey.method_parameters(cupy.ndarray, name) == parameters
            ours = inspect.signature(getattr(stand_in.ndarray, name))
            if str(ours).startswith("(self: 'ndarray', *args: 'Any', **kwargs"):
                continue  # reads the table when it is called
            assert survey.method_parameters(stand_in.ndarray, name) == parameters, name

    def test_the_table_is_current(self, cupy: Any) -> None:
        self._same_version(cupy)
        assert survey.differences(offered.table(), survey.survey()) == []

    def test_what_we_call_absent_is_absent(self, cupy: Any) -> None:
        for name in ("errstate", "float128", "matvec", "einsum_path", "block", "geomspace"):
            assert not hasattr(cupy, name), name
            assert not hasattr(CP, name), name

    @staticmethod
    def _same_version(cupy: Any) -> None:
        made_from = offered.table()["made_from"].removeprefix("CuPy ")
        if cupy.__version__.split(".")[:2] != made_from.split(".")[:2]:
            pytest.skip(f"the table is made from CuPy {made_from}, here is {cupy.__version__}")


class TestInstalling:
    def test_import_finds_it_and_names_stay_bound(self) -> None:
        before = sys.modules.get("cupy")
        with stand_in.installed() as cupy:
            namespace: dict[str, Any] = {}
            text = (
                "import cupy as cp\nfrom cupyx import scatter_add\n"
                "from cupyx.scipy.special import erf\nimport cupy.linalg\nfrom cupy import cuda\n"
                "def f(x): return cp.exp(x) + erf(x)\n"
            )
            exec(text, namespace)
            assert namespace["cp"] is cupy
        assert sys.modules.get("cupy") is before
        same(namespace["f"](device([0.0])), [1.0])

    def test_submodules_and_specs(self) -> None:
        with stand_in.installed():
            assert importlib.util.find_spec("cupy") is not None
            assert importlib.import_module("cupyx.scipy.special").erf is SPECIAL.erf
            with pytest.raises(ModuleNotFoundError, match=r"cupy\.no_such"):
                importlib.import_module("cupy.no_such")

    def test_nested_and_after_an_error(self) -> None:
        before = {name: module for name, module in sys.modules.items() if "cupy" in name}
        with pytest.raises(KeyError), stand_in.installed(), stand_in.installed():
            raise KeyError
        assert {n: m for n, m in sys.modules.items() if "cupy" in n} == before

    def test_it_needs_neither_cupy_nor_scipy(self) -> None:
        script = (
            "import sys; sys.modules['cupy'] = sys.modules['scipy'] = None\n"
            "import numpy as np\n"
            "from llm_math_tests import stand_in\n"
            "with stand_in.installed() as cp:\n"
            "    from cupyx.scipy.special import erf, expit, softmax, logsumexp\n"
            "x = stand_in.to_device(np.array([0.5], 'f'))\n"
            "assert abs(float(erf(x)[0]) - 0.5204998778) < 1e-6 and erf(x).dtype == 'f'\n"
            "assert abs(float(expit(x)[0]) - 0.6224593312) < 1e-6\n"
            "assert float(softmax(x)[0]) == 1 and float(logsumexp(x)) == 0.5\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)

    def test_the_type_says_cupy(self) -> None:
        assert type(device()).__module__ == "cupy"
        assert type(device()).__qualname__ == "ndarray"
        assert CP.ndarray is stand_in.ndarray


class TestMemory:
    def test_to_device_shares_memory_and_strides(self) -> None:
        host = np.arange(12.0).reshape(3, 4)[::-1, ::2].T
        array = stand_in.to_device(host)
        assert stand_in.to_host(array) is host
        assert array.strides == host.strides
        array[0, 0] = 99
        assert host[0, 0] == 99

    def test_get_copies(self) -> None:
        array = device()
        array.get()[0, 0] = 99
        assert float(array[0, 0]) == 3

    def test_views_share_and_index_arrays_copy(self) -> None:
        array = device()
        array[0][1] = 7
        array.T[2, 1] = 8
        assert array.tolist() == [[3, 7, 2], [0.5, 4, 8]]
        picked = array[CP.array([0])]
        picked[...] = 0
        assert array.tolist()[0] == [3, 7, 2]

    def test_asarray_copies_a_host_array_and_not_a_device_array(self) -> None:
        host = HOST.copy()
        array = CP.asarray(host)
        host[0, 0] = 99
        assert float(array[0, 0]) == 3
        assert CP.asarray(array) is array
        assert CP.array(array) is not array

    @pytest.mark.parametrize("bad", [np.array(["a"]), np.array([None]), np.zeros(1, "longdouble")])
    def test_dtypes_without_a_place_on_a_device(self, bad: Any) -> None:
        for make in (stand_in.to_device, CP.asarray):
            with pytest.raises(ValueError, match="Unsupported dtype"):
                make(bad)

    def test_copies_and_pickles(self) -> None:
        for twin in (copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
            array = device()
            made = twin(array)
            same(made, HOST)
            assert not np.shares_memory(stand_in.to_host(made), stand_in.to_host(array))


IMPLICIT = r"Implicit conversion to a NumPy array is not allowed\. Please use `\.get\(\)`"
UNSUPPORTED = "Unsupported type <class 'numpy.ndarray'>"


class TestRefusals:
    @pytest.mark.parametrize("convert", [np.asarray, np.array, lambda x: np.array([x, x])])
    def test_nothing_becomes_a_numpy_array_by_itself(self, convert: Any) -> None:
        with pytest.raises(TypeError, match=IMPLICIT):
            convert(device())

    @pytest.mark.parametrize(
        "mix",
        [
            lambda x, h: x + h,
            lambda x, h: h + x,
            lambda x, h: x @ h.T,
            lambda x, h: h.T @ x,
            lambda x, h: x < h,
            lambda x, h: x == h,
            lambda x, h: np.add(h, x),
            lambda x, h: CP.exp(h),
            lambda x, h: CP.maximum(x, h),
            lambda x, h: CP.where(x > 0, x, h),
            lambda x, h: CP.sum(h),
            lambda x, h: CP.concatenate([x, h]),
            lambda x, h: CP.linalg.norm(h),
            lambda x, h: CP.take_along_axis(x, h.astype(int), 0),
            lambda x, h: CP.einsum("ij,ij->", x, h),
            lambda x, h: CP.zeros_like(h),
            lambda x, h: np.concatenate([x, h]),
            lambda x, h: CPX.scatter_add(h, 0, 1.0),
            lambda x, h: SPECIAL.erf(h),
            lambda x, h: SPECIAL.softmax(h),
            lambda x, h: x.__iadd__(h),
        ],
    )
    def test_host_arrays_do_not_mix(self, mix: Any) -> None:
        with pytest.raises(TypeError, match=UNSUPPORTED):
            mix(device(), HOST)

    def test_a_host_array_may_be_an_index_but_not_a_value(self) -> None:
        array = device()
        same(array[np.array([1, 0])], HOST[[1, 0]])
        with pytest.raises(ValueError, match="non-scalar"):
            array[0] = np.zeros(3)

    @pytest.mark.parametrize("name", ["sum", "mean", "exp", "sort", "cumsum", "argmax"])
    def test_lists_are_not_arrays(self, name: str) -> None:
        with pytest.raises(TypeError, match="Unsupported type <class 'list'>"):
            getattr(CP, name)([1.0, 2.0])

    def test_lists_beside_an_array(self) -> None:
        with pytest.raises(TypeError, match="Unsupported type <class 'list'>"):
            device() + [1, 2, 3]
        with pytest.raises(TypeError, match=IMPLICIT):
            CP.array([device(1.0), 2.0])

    @pytest.mark.parametrize("name", ["errstate", "seterr", "float128", "no_such_name"])
    def test_unknown_names(self, name: str) -> None:
        with pytest.raises(AttributeError, match=f"module 'cupy' has no attribute '{name}'"):
            getattr(CP, name)

    @pytest.mark.parametrize(
        "call",
        [
            lambda x: CP.sum(x, where=x > 0),
            lambda x: CP.sum(x, initial=0),
            lambda x: CP.max(x, initial=0),
            lambda x: CP.mean(x, where=x > 0),
            lambda x: CP.var(x, correction=1),
            lambda x: x.sum(where=x > 0),
            lambda x: x.max(initial=0),
            lambda x: CP.take_along_axis(x),
            lambda x: CP.take(x, 0, mode="clip"),
            lambda x: CP.exp(x, where=x > 0),
            lambda x: CP.exp(x, subok=True),
            lambda x: CP.exp(x, order="C"),
            lambda x: CP.exp(x, x, x),
            lambda x: CP.einsum("ij->i", x, order="C"),
            lambda x: CP.linalg.svd(x, hermitian=True),
            lambda x: CP.linalg.norm(x, foo=1),
            lambda x: x.astype("f", casting="safe"),
            lambda x: CP.zeros(3, device="cpu"),
            lambda x: np.sum(x, where=x > 0),
            lambda x: np.exp(x, where=x > 0),
        ],
    )
    def test_arguments_cupy_does_not_have(self, call: Any) -> None:
        with pytest.raises(TypeError):
            call(device())

    def test_names_the_function_in_the_error(self) -> None:
        with pytest.raises(TypeError, match=r"sum\(\) got an unexpected keyword argument 'where'"):
            CP.sum(device(), where=True)
        with pytest.raises(TypeError, match=r"Wrong arguments \{'where': True\}"):
            CP.exp(device(), where=True)

    @pytest.mark.parametrize("name", ["maximum", "logaddexp", "subtract"])
    def test_few_ufuncs_reduce(self, name: str) -> None:
        for method in ("reduce", "accumulate"):
            with pytest.raises(NotImplementedError, match=f"`cupy_{name}.{method}` is not supp"):
                getattr(getattr(CP, name), method)(device())
        with pytest.raises(NotImplementedError, match=r"`cupy_multiply\.at` is not supported"):
            CP.multiply.at(device(), 0, 1.0)

    @pytest.mark.parametrize(
        "name", ["ElementwiseKernel", "ReductionKernel", "RawKernel", "RawModule"]
    )
    def test_kernels_need_the_real_one(self, name: str) -> None:
        with pytest.raises(NotImplementedError, match="cannot compile kernels"):
            getattr(CP, name)("float32 x", "float32 y", "y = x", "f")

    def test_a_0d_array_is_no_sequence_and_no_index(self) -> None:
        scalar = device(2.0)
        with pytest.raises(TypeError, match=r"len\(\) of unsized object"):
            len(scalar)
        with pytest.raises(TypeError, match="iteration over a 0-d array"):
            list(scalar)
        with pytest.raises(TypeError):
            range(device(2))
        with pytest.raises(TypeError):
            ["a", "b"][device(1)]

    def test_truth_and_numbers_need_one_element(self) -> None:
        one = device([2.0])
        assert (bool(one[0]), float(one[0]), int(one[0])) == (True, 2.0, 2)
        assert one.item() == 2.0
        with pytest.raises(ValueError, match="truth value"):
            bool(device())
        with pytest.raises(ValueError, match="size 1"):
            device().item()

    def test_flags_know_nothing_about_writing(self) -> None:
        flags = device().flags
        assert flags.c_contiguous
        assert flags["OWNDATA"]
        assert not hasattr(flags, "writeable")
        assert not hasattr(stand_in.ndarray, "setflags")

    def test_arrays_cannot_be_keys_and_have_no_extra_attributes(self) -> None:
        with pytest.raises(TypeError, match="unhashable"):
            hash(device())
        with pytest.raises(AttributeError):
            device().grad = 1

    def test_in_place_needs_a_safe_kind(self) -> None:
        with pytest.raises(TypeError):
            device([1, 2]).__iadd__(1.5)


class TestNumbers:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize(
        "name",
        [
            "exp", "log1p", "sqrt", "tanh", "abs", "negative", "isfinite", "sign", "floor",
            "square", "sum", "mean", "max", "min", "std", "var", "prod", "cumsum", "cumprod",
            "argmax", "argmin", "sort", "argsort", "all", "any", "transpose", "ravel",
            "squeeze", "nonzero", "triu", "tril", "flip", "ptp", "median", "zeros_like",
            "ones_like", "count_nonzero",
        ],
    )  # fmt: skip
    def test_of_one_array(self, name: str, dtype: str) -> None:
        host = np.abs(HOST).astype(dtype)
        ours, theirs = getattr(CP, name)(device(host)), getattr(np, name)(host)
        if isinstance(theirs, tuple):
            for one, other in zip(ours, theirs, strict=True):
                same(one, other)
        else:
            same(ours, theirs)

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("name", ["sum", "mean", "max", "argmax", "std", "cumsum", "any"])
    @pytest.mark.parametrize("axis", [None, 0, -1])
    def test_methods_and_axes(self, name: str, dtype: str, axis: int | None) -> None:
        host = HOST.astype(dtype)
        same(getattr(device(host), name)(axis=axis), getattr(host, name)(axis=axis))
        same(getattr(CP, name)(device(host), axis), getattr(np, name)(host, axis))

    @pytest.mark.parametrize("left", DTYPES + ["int8", "int64", "bool"])
    @pytest.mark.parametrize("right", DTYPES + ["int8", "int64", "bool"])
    def test_operators_promote_as_numpy(self, left: str, right: str) -> None:
        a, b = np.array([3, 1, 2], left), np.array([1, 1, 2], right)
        same(device(a) + device(b), a + b)
        same(device(a) * device(b), a * b)
        same(device(a) / device(b), a / b)
        same(device(a) >= device(b), a >= b)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_scalars_beside_arrays(self, dtype: str) -> None:
        host = HOST.astype(dtype)
        x = device(host)
        same(2 * x + 1.5, 2 * host + host.dtype.type(1.5))
        same(np.float32(2) * x, np.float32(2) * host)
        same(x / np.float64(2), host / np.float64(2))
        same(x - x.max(), host - np.max(host))
        same(CP.where(x > 0, x, 0.0), np.where(host > 0, host, host.dtype.type(0)))
        same(CP.maximum(x, 0), np.maximum(host, host.dtype.type(0)))
        same(1 - x, 1 - host)
        same(2**x, 2**host)
        same(x**2, host**2)

    def test_everything_stays_an_array(self) -> None:
        x = device()
        for made in (x.sum(), x.max(), x[0, 0], CP.argmax(x), CP.allclose(x, x), CP.exp(1.0),
                     CP.count_nonzero(x), x.mean(), CP.linalg.norm(x), CP.dot(x[0], x[0]),
                     CP.array_equal(x, x), CP.vdot(x, x)):  # fmt: skip
            assert type(made) is stand_in.ndarray
            assert made.shape == ()
        assert CP.ndim(x) == 2
        assert CP.shape(x) == (2, 3)
        assert CP.size(x) == 6
        assert CP.result_type(x, CP.float32) == np.float64

    def test_numpy_dispatches_here(self) -> None:
        x = device()
        same(np.exp(x), np.exp(HOST))
        same(np.sum(x, axis=0), HOST.sum(0))
        same(np.concatenate([x, x]), np.concatenate([HOST, HOST]))
        same(np.linalg.norm(x), np.linalg.norm(HOST))
        out = CP.empty_like(x)
        assert np.exp(x, out=out) is out

    def test_out(self) -> None:
        x = device()
        out = CP.empty_like(x)
        assert CP.exp(x, out=out) is out
        assert CP.add(x, 1, out) is out
        same(out, HOST + 1)
        total = CP.empty(3)
        assert CP.sum(x, axis=0, out=total) is total
        same(total, HOST.sum(0))
        with pytest.raises(TypeError):
            CP.exp(x, out=np.empty((2, 3)))

    def test_in_place(self) -> None:
        x = device()
        alias = x
        x += 1
        x *= device([1.0, 2.0, 3.0])
        x /= 2
        same(alias, (HOST + 1) * [1, 2, 3] / 2)

    def test_no_warnings_about_arithmetic(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            x = device([0.0, -1.0, 1e4])
            CP.log(x), 1 / x, CP.exp(x), x.astype("float16") ** 2, CP.sqrt(x)

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_products(self, dtype: str) -> None:
        a, b = HOST.astype(dtype), HOST.T.astype(dtype)
        x, y = device(a), device(b)
        for ours in (x @ y, CP.matmul(x, y), CP.dot(x, y), x.dot(y),
                     CP.einsum("ij,jk->ik", x, y), CP.tensordot(x, y, axes=1)):  # fmt: skip
            same(ours, (a.astype("f8") @ b.astype("f8")).astype(dtype))

    def test_half_precision_accumulates_in_single(self) -> None:
        tenth = np.full(4096, 0.1, np.float16)
        exact = np.float16(tenth.astype(np.float64).sum())
        assert float(device(tenth).sum()) == exact
        assert float(device(tenth) @ CP.ones(4096, "float16")) == exact

    def test_linear_algebra(self) -> None:
        square = HOST @ HOST.T
        u, s, vt = CP.linalg.svd(device(), full_matrices=False)
        same((u * s) @ vt, HOST)
        values, vectors = CP.linalg.eigh(device(square))
        same(vectors @ CP.diag(values) @ vectors.T, square)
        q, r = CP.linalg.qr(device(square))
        same(q @ r, square)
        same(CP.linalg.inv(device(square)), np.linalg.inv(square))
        same(CP.linalg.solve(device(square), device(HOST)), np.linalg.solve(square, HOST))
        with pytest.raises(TypeError):
            CP.linalg.svd(device(dtype="float16"))

    def test_shapes(self) -> None:
        x = device()
        same(x.reshape(3, -1), HOST.reshape(3, -1))
        same(x.reshape((3, 2), order="F"), HOST.reshape((3, 2), order="F"))
        same(CP.reshape(x, (6,)), HOST.reshape(6))
        same(x.transpose(1, 0), HOST.T)
        same(x.mT, HOST.T)
        same(CP.expand_dims(x, -1), HOST[..., None])
        same(CP.swapaxes(x, 0, 1), HOST.T)
        same(CP.stack([x, x], axis=1), np.stack([HOST, HOST], axis=1))
        same(CP.broadcast_to(x, (2, 2, 3)), np.broadcast_to(HOST, (2, 2, 3)))
        same(CP.pad(x, ((0, 1), (2, 0))), np.pad(HOST, ((0, 1), (2, 0))))
        for ours, theirs in zip(CP.split(x, 3, axis=1), np.split(HOST, 3, axis=1), strict=True):
            same(ours, theirs)

    def test_defaults_that_numpy_spells_otherwise(self) -> None:
        ids = device([0, 2, 2])
        same(CP.bincount(ids, weights=None, minlength=None), [1, 0, 2])
        same(CP.ravel_multi_index((ids, ids), (2, 3)), [0, 2, 2])
        same(CP.sum(device(), axis=None, dtype=None, out=None, keepdims=False), HOST.sum())
        target = CP.zeros((2, 3))
        CP.copyto(target, device(), where=None)
        same(target, HOST)

    def test_creation(self) -> None:
        same(CP.arange(5), np.arange(5))
        same(CP.arange(1, 2, 0.25), np.arange(1, 2, 0.25))
        same(CP.zeros((2, 3)), np.zeros((2, 3)))
        same(CP.ones(3, dtype=CP.float32), np.ones(3, np.float32))
        same(CP.full((2,), 7), np.full((2,), 7))
        same(CP.full_like(device(), -CP.inf), np.full_like(HOST, -np.inf))
        same(CP.eye(3, k=1), np.eye(3, k=1))
        same(CP.tri(3), np.tri(3))
        same(CP.linspace(0, 1, 5), np.linspace(0, 1, 5))
        same(CP.array([[1, 2], [3, 4]], dtype="float16"), np.array([[1, 2], [3, 4]], "float16"))
        same(CP.array([device([1.0]), device([2.0])]), [[1.0], [2.0]])
        assert isinstance(CP.asnumpy(device()), np.ndarray)
        assert CP.newaxis is None
        assert CP.finfo(CP.float32).eps == np.finfo(np.float32).eps

    def test_fuse_gives_the_function(self) -> None:
        plain = CP.fuse(lambda x, y: x * y + 1)
        named = CP.fuse(kernel_name="squared")(lambda x: x * x)
        same(plain(device(), 2.0), HOST * 2 + 1)
        same(named(device()), HOST**2)
        with pytest.raises(TypeError):
            named(x=device())
        with pytest.raises(TypeError):
            named(HOST)


class TestIndexing:
    @pytest.mark.parametrize(
        "key",
        [
            0, -1, (0, 1), (slice(None), 1), (Ellipsis, 0), None, (None, 0), slice(None, None, -1),
            (slice(None), None, slice(1, 3)), [1, 0], ([0, 1], [1, 2]), (slice(None), [2, 0]),
            [[True, False, True], [False, True, False]], ([True, False],), Ellipsis, (),
        ],
    )  # fmt: skip
    def test_like_numpy(self, key: Any) -> None:
        host_key = np.array(key) if isinstance(key, list) else key
        same(device()[key], HOST[host_key])
        ours, theirs = device(), HOST.copy()
        ours[key], theirs[host_key] = 5.0, 5.0
        same(ours, theirs)

    def test_device_masks_and_indices(self) -> None:
        x = device()
        same(x[x > 0], HOST[HOST > 0])
        x[x < 0] = 0
        same(x, np.maximum(HOST, 0))
        rows = CP.arange(2)
        same(x[rows, CP.array([2, 0])], np.maximum(HOST, 0)[[0, 1], [2, 0]])

    def test_index_arrays_wrap_around_and_numbers_do_not(self) -> None:
        same(device([0, 1, 2])[CP.array([1, 3, -4])], [1, 0, 2])
        same(CP.take(device([0, 1, 2]), CP.array([4])), [1])
        same(device()[:, CP.array([3])], HOST[:, [0]])
        with pytest.raises(IndexError):
            device()[5]

    def test_wrong_indices(self) -> None:
        for key in (CP.array([0.5]), "a", (0, 0, 0)):
            with pytest.raises(IndexError):
                device()[key]

    def test_scatter_and_at_add_repeated_places(self) -> None:
        table = CP.zeros((3, 2), dtype="float32")
        ids = CP.array([0, 2, 0])
        CPX.scatter_add(table, ids, CP.ones((3, 2), dtype="float32"))
        same(table, np.array([[2, 2], [0, 0], [1, 1]], "float32"))
        CP.add.at(table, ids, 1.0)
        same(table, np.array([[4, 4], [0, 0], [2, 2]], "float32"))
        CPX.scatter_max(table, ids, 3.0)
        same(table, np.array([[4, 4], [0, 0], [3, 3]], "float32"))
        with pytest.raises(TypeError, match="scatter_add only supports"):
            CPX.scatter_add(CP.zeros(3, dtype="int64"), ids, 1)

    def test_along_an_axis(self) -> None:
        x = device()
        order = CP.argsort(x, axis=-1)
        same(CP.take_along_axis(x, order, axis=-1), np.sort(HOST))
        CP.put_along_axis(x, order[:, :1], -9.0, axis=-1)
        assert x.tolist() == [[3, -9, 2], [0.5, 4, -9]]

    def test_iteration_gives_arrays(self) -> None:
        for ours, theirs in zip(device(), HOST, strict=True):
            same(ours, theirs)


class TestSpecial:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_against_scipy(self, dtype: str) -> None:
        scipy_special = pytest.importorskip("scipy.special", reason="SciPy is the judge here")
        host = np.array([-2.0, 0.0, 0.5, 3.0], dtype)
        # CuPy's own loops: erf and expit turn half precision into double.
        result = "float64" if dtype == "float16" else dtype
        for name in ("erf", "erfc", "expit", "log_ndtr"):
            expected = getattr(scipy_special, name)(host.astype(result)).astype(result)
            same(getattr(SPECIAL, name)(device(host)), expected)

    def test_softmaxes(self) -> None:
        scipy_special = pytest.importorskip("scipy.special", reason="SciPy is the judge here")
        for name in ("softmax", "log_softmax", "logsumexp"):
            ours = getattr(SPECIAL, name)(device(), axis=-1)
            same(ours, getattr(scipy_special, name)(HOST, axis=-1))

    def test_rsqrt(self) -> None:
        same(CPX.rsqrt(device([4.0], "float32")), np.array([0.5], "float32"))


class TestTheRest:
    def test_random(self) -> None:
        rng = CP.random.default_rng(0)
        for made in (rng.random((2, 3)), rng.standard_normal(4), CP.random.rand(3),
                     rng.integers(0, 5, 3), CP.random.RandomState(0).normal(size=3)):  # fmt: skip
            assert type(made) is stand_in.ndarray
        assert rng.random((2,), dtype=CP.float32).dtype == np.float32
        with pytest.raises(AttributeError):
            rng.normal(size=3)

    def test_cuda(self) -> None:
        start, end = CP.cuda.Event(), CP.cuda.Event()
        start.record()
        end.record()
        end.synchronize()
        assert CP.cuda.get_elapsed_time(start, end) >= 0
        CP.cuda.Stream.null.synchronize()
        with CP.cuda.Device(0) as current:
            assert device().device == current
        assert not CP.cuda.is_available()
        assert CP.cuda.runtime.getDeviceCount() == 0
        assert device().device.id == 0

    def test_which_module(self) -> None:
        assert CP.get_array_module(device()) is CP
        assert CP.get_array_module(HOST, 1.0) is np

    def test_importing_is_quick(self) -> None:
        script = (
            "import time, numpy, json, inspect\n"
            "before = time.process_time()\n"
            "from llm_math_tests import stand_in; stand_in.modules()['cupy'].exp\n"
            "print(time.process_time() - before)"
        )
        taken = subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
        )
        # 30 ms is the aim; a busy machine gets some slack.
        assert float(taken.stdout) < 0.15
