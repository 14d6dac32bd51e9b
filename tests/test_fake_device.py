"""The fake accelerator finds what would fail on a GPU, and nothing else.

The registration of a backend lasts as long as its process, so all cases run in one
child, on a file like a student's, and come back as JSON.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

if importlib.util.find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

# What a student might write. The comment "here" marks the line that must be named.
STUDENT = """
import math
import numpy as np
import torch
import torch.nn.functional as F

MADE_AT_IMPORT = torch.ones(4)

# Mistakes -----------------------------------------------------------------------------

def bad_made_on_cpu(x):
    return x * torch.ones(4)  # here

def bad_made_on_cpu_earlier(x):
    scale = torch.arange(4)  # here
    scale = scale[None] + 1.0
    return x * scale

def bad_made_at_import(x):
    return x * MADE_AT_IMPORT  # here

def bad_mask_on_cpu(x):
    keep = torch.tril(torch.ones(3, 4, dtype=torch.bool))  # here
    return x.masked_fill(~keep, float("-inf"))

def bad_matmul(x):
    return x @ torch.eye(4)  # here

def bad_cat(x):
    return torch.cat([x, torch.zeros(1, 4)])  # here

def bad_stack_number(x):
    return torch.stack([x.sum(), torch.tensor(0.0)])  # here

def bad_gather(x):
    index = torch.zeros(3, 1, dtype=torch.long)  # here
    return x.gather(1, index)

def bad_running_sum(x):
    total = torch.tensor(0.0)  # here
    for row in x:
        total += row.sum()
    return total

def bad_fill_cpu_result(x):
    out = torch.zeros(3, 4)
    out[:] = x  # here
    return out

def bad_result_on_cpu(x):
    return torch.zeros(x.shape)  # here

def bad_second_result_on_cpu(x):
    return x, torch.tensor(x.shape[0])  # here

def bad_cpu(x):
    return x.cpu()  # here

def bad_to_cpu(x):
    return x.to("cpu")  # here

def bad_to_cpu_and_back(x):
    y = x.to(torch.device("cpu"))  # here
    return y.softmax(-1).to(x.device)

def bad_numpy(x):
    return torch.from_numpy(np.exp(x.numpy()))  # here

def bad_detach_numpy(x):
    return x.detach().numpy()  # here

def bad_asarray(x):
    return torch.as_tensor(np.asarray(x))  # here

def bad_numpy_function(x):
    return np.exp(x)  # here

def bad_item(x):
    return x - x.max().item()  # here

def bad_float(x):
    return x / float(x.sum())  # here

def bad_int(x):
    return x[: int(x.argmax())]  # here

def bad_math(x):
    return x / math.sqrt(x.square().sum())  # here

def bad_tolist(x):
    return x + x.tolist()[0][0]  # here

def bad_if(x):
    if torch.isnan(x).any():  # here
        return x
    return x + 1

def bad_assert(x):
    assert (x == x).all()  # here
    return x

def bad_builtin_max(x):
    return max(x[0])  # here

def bad_range(x):
    return [x[0] for _ in range(x.argmax())]  # here

def bad_equal(x):
    return x if torch.equal(x, x) else x + 1  # here

def bad_swallowed(x):
    try:
        x.sum().item()  # here
    except Exception:
        pass
    return x

class BadBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * torch.full((4,), 2.0)  # here

def bad_in_backward(x):
    return BadBackward.apply(x)

class ReadsInBackward(BadBackward):
    @staticmethod
    def backward(ctx, g):
        return g * g.sum().item()  # here

def bad_read_in_backward(x):
    return ReadsInBackward.apply(x)

def bad_read_in_own_grad(x):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(ReadsInBackward.apply(x).sum(), x)[0]

def bad_read_in_own_backward(x):
    x = x.detach().requires_grad_()
    ReadsInBackward.apply(x).sum().backward()
    return x.grad

def bad_argument_on_cpu(f, x):
    return f(torch.ones(4)) + x  # here

def bad_raises(x):
    raise TypeError("no such thing")  # here

def bad_exits(x):
    raise SystemExit(3)  # here

# Right on a GPU -----------------------------------------------------------------------

def good_makers(x):
    n = x.shape[-1]
    y = torch.arange(n, device=x.device) + torch.zeros(n, device=x.device)
    y = y + x.new_zeros(n) + x.new_tensor([1.0] * n) + x.new_full((n,), 2.0)
    y = y + torch.tensor([0.5] * n, device=x.device) + torch.as_tensor(2.0, device=x.device)
    with torch.device(x.device):
        y = y + torch.ones(n)
    return torch.full_like(x, 2.0) + torch.empty_like(x).zero_() + y + torch.rand_like(x)

def good_numbers_mix(x):
    y = x * torch.tensor(2.0) / torch.tensor(x.shape[-1])
    return torch.where(x > 0, y, torch.tensor(0.0)).clamp(min=torch.tensor(0.0))

def good_masks(x):
    keep = torch.ones(3, 4, dtype=torch.bool, device=x.device).tril()
    y = x.masked_fill(~keep, float("-inf"))
    y = torch.where(keep, y, float("-inf"))
    low = torch.finfo(x.dtype).min
    return torch.where(keep, y, low), torch.triu(x, 1), torch.tril_indices(3, 3, device=x.device)

def good_dtypes(x):
    return x.half().float().to(torch.float64).to(x.dtype).to(x.device).to(x), x.type_as(x)

def good_inplace(x):
    y = x.clone()
    y[:, 0] = 1.0
    y[1:] += 2
    y[y > 1] = 0.0
    y[[0, 1]] *= 2
    y.sub_(y.amax(-1, keepdim=True)).exp_()
    y.unsqueeze_(0).squeeze_(0).t_()
    return y.T @ y

def good_indices(x):
    i = torch.argsort(x, -1)
    rows = torch.arange(3, device=x.device)
    y = x[rows, i[:, 0]][:, None] + x.gather(1, i) + x[[0, 1, 2]]
    y = torch.zeros_like(x).scatter_add_(1, i, y).index_add(0, rows, x)
    y = y.index_put((rows, rows), x[:, 0], accumulate=True)
    return y.index_select(0, rows), *torch.topk(x, 2)

def good_algebra(x):
    y = torch.einsum("ij,kj->ik", x, x) + x @ x.T
    q = x[None]
    return (torch.cat([y, y]), torch.stack([y, y]), F.scaled_dot_product_attention(q, q, q),
            torch.linalg.svdvals(x), F.layer_norm(x, (4,)), torch.logsumexp(x, 0),
            torch.complex(x, x).conj() * 2)

def good_device_branch(x):
    if x.device.type == "cpu" and not torch.isfinite(x).all():
        raise ValueError("x: not finite")
    return x if x.is_cuda else x.cpu()

def good_autocast(x):
    with torch.autocast(x.device.type, dtype=torch.bfloat16):
        return x @ x.T

def good_checks_in_torch(x):
    return torch.distributions.Categorical(logits=x).entropy()

def good_func(x):
    y, pull = torch.func.vjp(torch.tanh, x)
    _, push = torch.func.jvp(torch.tanh, (x,), (x,))
    hessian = torch.func.hessian(lambda v: v.exp().sum())(x[0])
    return *pull(y), push, torch.func.jacrev(torch.tanh)(x[0]), hessian, torch.vmap(torch.dot)(x, x)

def good_maker(n, device=None):
    return torch.ones(n, n, dtype=torch.bool, device=device).tril()

class Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        p = (x - x.amax(-1, keepdim=True)).exp()
        p = p / p.sum(-1, keepdim=True)
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx, g):
        (p,) = ctx.saved_tensors
        ones = torch.ones(p.shape[-1], 1, dtype=p.dtype, device=p.device)
        return p * (g - (g * p) @ ones)

def good_autograd_function(x):
    return Softmax.apply(x)

def good_softmax(x, temperature=1.0, axis=-1):
    z = x.float() / temperature
    e = (z - z.amax(axis, keepdim=True)).exp()
    return (e / e.sum(axis, keepdim=True)).to(x.dtype)

def good_attention(q, k, v, mask=None):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    top = scores.amax(-1, keepdim=True)
    weights = (scores - torch.where(torch.isinf(top), 0.0, top)).exp()
    total = weights.sum(-1, keepdim=True)
    return torch.where(total > 0, weights / total.clamp(min=1e-30), 0.0) @ v

def good_cross_entropy(logits, targets, ignore_index=-100):
    keep = targets != ignore_index
    safe = torch.where(keep, targets, 0)
    log_p = logits - torch.logsumexp(logits, -1, keepdim=True)
    picked = log_p.gather(-1, safe[..., None]).squeeze(-1)
    return -(torch.where(keep, picked, 0.0)).sum() / keep.sum()

def good_torch_cross_entropy(logits, targets):
    return F.cross_entropy(logits, targets)

def good_cross_entropy_by_mask(logits, targets):
    keep = targets != -100
    kept = torch.log_softmax(logits, -1)[keep]
    return -kept[torch.arange(len(kept), device=logits.device), targets[keep]].mean()

def good_flash(q, k, v, block_size=2):
    out = torch.zeros(q.shape, dtype=q.dtype, device=q.device)
    for i in range(0, q.shape[-2], block_size):
        qi = q[..., i : i + block_size, :] / math.sqrt(q.shape[-1])
        top = torch.full(qi.shape[:-1], float("-inf"), device=q.device, dtype=q.dtype)
        total = torch.zeros_like(top)
        acc = torch.zeros_like(qi)
        for j in range(0, k.shape[-2], block_size):
            s = qi @ k[..., j : j + block_size, :].mT
            rows = torch.arange(i, i + qi.shape[-2], device=q.device)
            cols = torch.arange(j, j + s.shape[-1], device=q.device)
            s = torch.where(cols <= rows[:, None], s, float("-inf"))
            new = torch.maximum(top, s.amax(-1))
            safe = torch.where(new == float("-inf"), 0.0, new)
            p = (s - safe[..., None]).exp()
            shrink = (top - safe).exp()
            total = total * shrink + p.sum(-1)
            acc = acc * shrink[..., None] + p @ v[..., j : j + block_size, :]
            top = new
        out[..., i : i + block_size, :] = acc / total[..., None]
    return out

def good_online_logsumexp(blocks):
    top = total = None
    for block in blocks:
        m = block.amax(-1)
        new = m if top is None else torch.maximum(top, m)
        s = (block - new[..., None]).exp().sum(-1)
        total = s if total is None else total * (top - new).exp() + s
        top = new
    return top + total.log()

def good_accumulate(grad_fn, batches):
    total, count = 0.0, 0
    for batch in batches:
        total = total + grad_fn(batch) * len(batch)
        count += len(batch)
    return total / count

def good_checkpointed(layers, x, grad):
    inputs = []
    for forward, _ in layers:
        inputs.append(x)
        x = forward(x)
    for (_, backward), kept in zip(reversed(layers), reversed(inputs)):
        grad = backward(grad, kept)
    return grad

def good_jacobian(f, x):
    return torch.autograd.functional.jacobian(f, x)

def good_jacobian_by_rows(f, x):
    x = x.detach().requires_grad_()
    y = f(x)
    eye = torch.eye(len(y), dtype=y.dtype, device=y.device)
    rows = [torch.autograd.grad(y, x, row, retain_graph=True)[0] for row in eye]
    return torch.stack(rows)

# Right, with a note -------------------------------------------------------------------

def note_boolean_index(x):
    return x[x > 0].sum()  # here

def note_nonzero(x):
    return torch.nonzero(x)  # here

def note_unique(x):
    return torch.unique(x)  # here

def note_one_hot(x):
    return F.one_hot(x.argmax(-1))  # here

def note_cpu_index(x):
    return x[torch.tensor([0, 2])]  # here

def note_moved_here(x):
    return x + torch.arange(4).to(x.device)  # here

def note_named_cuda(x):
    return x + torch.zeros(4, device="cuda")  # here

def note_print(x):
    print(x)  # here
    return x
"""

CHILD = """
import dataclasses, importlib.util, json, sys, time
import torch
from llm_math_tests.tracks import fake_device as fake

def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

student = load("student", sys.argv[1])
torch.manual_seed(0)
torch.set_num_threads(1)
if (reason := fake.available()) is not None:
    print("JSON" + json.dumps({"unavailable": reason}))
    raise SystemExit

x = torch.randn(3, 4)
q, k, v = (torch.randn(2, 3, 4) for _ in range(3))
w = torch.randn(5, 4)
targets = torch.tensor([0, -100, 3])
layer = (lambda x: torch.tanh(x @ w.T @ w), lambda g, x: (g * (1 - x.tanh().cpu() ** 2)) * w[0])
special = {
    "good_makers": (x[:, :4],),
    "bad_argument_on_cpu": (lambda x: x * 2, x),
    "good_maker": (4,),
    "good_attention": (q, k, v, torch.ones(3, 3, dtype=torch.bool).tril(-1)),
    "good_flash": (q, k, v),
    "good_cross_entropy": (x, targets),
    "good_torch_cross_entropy": (x, targets),
    "good_cross_entropy_by_mask": (x, targets),
    "good_accumulate": (lambda b: torch.from_numpy(b.numpy()).mean(0), [q[0], k[1, :2]]),
    "good_checkpointed": ([layer] * 3, x, x),
    "good_jacobian": (lambda x: torch.tanh(w @ x), x[0]),
    "good_jacobian_by_rows": (lambda x: torch.tanh(w @ x), x[0]),
}
no_backward = {
    "good_inplace", "good_accumulate", "good_checkpointed", "good_maker", "good_func",
    "good_jacobian", "good_jacobian_by_rows",
}
seen, expected, before = {}, {}, x.clone()
start = time.perf_counter()
for name, function in vars(student).items():
    if name.startswith(("bad_", "good_", "note_")):
        args = special.get(name, (x,))
        if name == "good_online_logsumexp":
            args = (iter([x, x[:, :2], x[:, 1:]]),)
        kwargs = {"device": torch.device("cpu")} if name == "good_maker" else {}
        backward = name not in no_backward and not name.startswith("note_")
        run = fake.fake_run(function, args, kwargs, source=sys.argv[1], backward=backward)
        seen[name] = dataclasses.asdict(run)
seen["_ms"] = (time.perf_counter() - start) * 1e3 / len(seen)
seen["_unchanged"] = bool(torch.equal(x, before)) and x.grad is None
kept = {}
with_strides = fake.fake_run(
    lambda a, b: kept.update(a=a.stride(), b=b.is_contiguous(), same=a is b.mT) or a + b.mT,
    (x.T, torch.zeros(3, 1).expand(3, 4)), {}, source=sys.argv[1],
)
seen["_layout"] = [kept["a"], kept["b"], with_strides.ok]
same = fake.fake_run(lambda a, b: kept.update(same=a is b) or a, (x, x), {}, source="")
seen["_same"] = kept["same"]
print("JSON" + json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict:
    student = tmp_path_factory.mktemp("fake_device") / "with_torch.py"
    student.write_text(STUDENT, encoding="utf-8")
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(student)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    answer = json.loads(child.stdout.split("JSON", 1)[1])
    if "unavailable" in answer:
        pytest.skip(answer["unavailable"])
    return answer


def names(prefix: str) -> list[str]:
    heads = (line[4:].split("(")[0] for line in STUDENT.splitlines() if line.startswith("def "))
    return [name for name in heads if name.startswith(prefix)]


ON_CPU = "made a tensor on the CPU, the input is on the GPU: pass device=x.device"
PROBLEMS = {
    "bad_made_on_cpu": ON_CPU,
    "bad_made_on_cpu_earlier": "meets the GPU on line",
    "bad_made_at_import": "mixes a CPU tensor",
    "bad_mask_on_cpu": "meets the GPU on line",
    "bad_matmul": ON_CPU,
    "bad_cat": ON_CPU,
    "bad_stack_number": ON_CPU,
    "bad_gather": "meets the GPU on line",
    "bad_running_sum": "meets the GPU on line",
    "bad_fill_cpu_result": "left the GPU: writing to a CPU tensor",
    "bad_result_on_cpu": ON_CPU,
    "bad_second_result_on_cpu": ON_CPU,
    "bad_cpu": "left the GPU: .cpu()",
    "bad_to_cpu": "left the GPU: .to()",
    "bad_to_cpu_and_back": "left the GPU: .to()",
    "bad_numpy": "called .numpy()",
    "bad_detach_numpy": "called .numpy()",
    "bad_asarray": "called a NumPy function",
    "bad_numpy_function": "called a NumPy function",
    "bad_item": ".item() reads a value on the host",
    "bad_float": "float() of a tensor reads",
    "bad_int": "int() of a tensor reads",
    "bad_math": "float() of a tensor reads",
    "bad_tolist": ".tolist() reads",
    "bad_if": "if or bool() of a tensor reads",
    "bad_assert": "if or bool() of a tensor reads",
    "bad_builtin_max": "if or bool() of a tensor reads",
    "bad_range": "a tensor as a Python int reads",
    "bad_equal": "torch.equal reads",
    "bad_swallowed": ".item() reads",
    "bad_in_backward": ON_CPU,
    "bad_read_in_backward": "reads a value on the host",
    "bad_read_in_own_grad": "reads a value on the host",
    "bad_read_in_own_backward": "reads a value on the host",
    "bad_argument_on_cpu": ON_CPU,
    "bad_raises": "on the GPU it raised TypeError: no such thing",
    "bad_exits": "on the GPU it raised SystemExit: 3",
}


def test_every_mistake_is_listed() -> None:
    assert sorted(PROBLEMS) == sorted(names("bad_"))


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_mistake_is_named_with_its_line(name: str, seen: dict) -> None:
    run = seen[name]
    assert not run["ok"]
    assert PROBLEMS[name] in (run["problem"] or ""), run
    lines = STUDENT.splitlines()
    assert run["text"] is not None, run
    assert "# here" in run["text"], run
    assert lines[run["line"] - 1].strip() == run["text"]
    assert len(run["problem"]) <= 80
    assert run["problem"].isascii()


@pytest.mark.parametrize("name", names("good_"))
def test_a_right_program_passes(name: str, seen: dict) -> None:
    run = seen[name]
    assert run["problem"] is None, run
    assert run["ok"], run
    assert run["device"] == "fake", run
    assert run["outputs"], run


NOTES = {
    "note_boolean_index": "a boolean index synchronizes",
    "note_nonzero": "torch.nonzero synchronizes",
    "note_unique": "torch.unique synchronizes",
    "note_one_hot": "torch.one_hot reads GPU values and synchronizes",
    "note_cpu_index": "a CPU index is copied to the GPU",
    "note_moved_here": "copies from the CPU to the GPU",
    "note_named_cuda": "asks for 'cuda' by name",
    "note_print": "printing a GPU tensor synchronizes",
}


@pytest.mark.parametrize("name", names("note_"))
def test_what_only_costs_is_a_note(name: str, seen: dict) -> None:
    run = seen[name]
    assert run["ok"], run
    (note,) = run["notes"]
    line = int(note.rsplit("line ", 1)[1].rstrip(")"))
    assert note.startswith(NOTES[name])
    assert "# here" in STUDENT.splitlines()[line - 1]
    assert len(note) <= 80


@pytest.mark.parametrize(
    "name", ["good_softmax", "good_attention", "good_cross_entropy", "good_flash", "good_masks"]
)
def test_careful_programs_get_no_note(name: str, seen: dict) -> None:
    assert seen[name]["notes"] == []


def test_outputs_are_reported_in_order(seen: dict) -> None:
    assert seen["good_flash"]["outputs"] == [["float32", [2, 3, 4]]]
    assert seen["good_cross_entropy"]["outputs"] == [["float32", []]]
    assert seen["good_indices"]["outputs"][1:] == [["float32", [3, 2]], ["int64", [3, 2]]]
    assert seen["bad_result_on_cpu"]["device"] == "cpu"
    assert seen["bad_item"]["device"] is None


def test_the_callers_tensors_are_left_alone(seen: dict) -> None:
    assert seen["_unchanged"]


def test_layout_and_identity_are_kept(seen: dict) -> None:
    assert seen["_layout"] == [[1, 4], False, True]
    assert seen["_same"]


def test_a_call_is_quick(seen: dict) -> None:
    assert seen["_ms"] < 200


def test_a_torch_without_the_private_interface_is_a_reason() -> None:
    script = (
        "import torch.utils.backend_registration as b\n"
        "del b._setup_privateuseone_for_python_backend\n"
        "from llm_math_tests.tracks import fake_device\n"
        "print(fake_device.available())"
    )
    child = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "cannot play a GPU: ImportError" in child.stdout, child.stderr
