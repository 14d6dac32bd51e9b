"""What a run was made on: enough to know whether two runs may be compared."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_math_tests import __version__
from llm_math_tests.bench.inputs import MOST_SETS
from llm_math_tests.bench.threads import variables_set
from llm_math_tests.tracks.hardware import cuda_device_count

if TYPE_CHECKING:
    from llm_math_tests.bench.measure import Laboratory

PACKAGES = ("numpy", "scipy", "torch", "cupy", "pandas", "pytest", "pytest-benchmark")
_CUPY_WHEELS = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x")


def facts(laboratory: Laboratory, command: list[str]) -> dict[str, Any]:
    """Machine, versions and settings as plain data."""
    choice = laboratory.session.choice
    cpu = cpu_model()
    return {
        "written_by": f"llm-math-tests {__version__}",
        "written_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": command,
        "solution": choice.solution.label,
        "seed": choice.seed,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "cores_for_this_process": _usable_cores(),
        "cpu_governor": _governor(),
        "devices": {"cpu": cpu, **laboratory.device_names},
        "cuda_devices": cuda_device_count(),
        "versions": {name: _version(name) for name in PACKAGES},
        "blas": _blas(),
        "threads": laboratory.threads,
        "environment_variables": variables_set(),
        "clocks": laboratory.clocks,
        "method": {
            "seconds_per_row": laboratory.effort.seconds,
            "stops_at_relative_error": laboratory.effort.precision,
            "inputs": f"2 to {MOST_SETS} sets rotate, two rows change places before every call; "
            "small sizes are warm in cache",
            "order": "the rows of a group are sampled in turn, forwards and backwards",
            "garbage_collection": "off while timing",
            "transfers": "not included: inputs are on the device",
        },
        "float32_matmul_precision": _matmul_precision(),
        "libraries": laboratory.libraries,
    }


def cpu_model() -> str:
    """The processor as its maker names it, as well as can be told."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.lower().startswith(("model name", "hardware")):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    if sys.platform == "darwin":
        try:
            asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(
                asked, capture_output=True, text=True, timeout=5, check=True
            ).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return platform.processor() or platform.machine()


def _usable_cores() -> int | None:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count()


def _governor() -> str | None:
    try:
        file = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _version(name: str) -> str | None:
    for candidate in _CUPY_WHEELS if name == "cupy" else (name,):
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            continue
    return None


def _blas() -> str | None:
    """NumPy's linear algebra library, by the record of its build."""
    import numpy as np

    try:
        config: Any = np.show_config(mode="dicts")
        blas = config["Build Dependencies"]["blas"]
        return f"{blas['name']} {blas.get('version', '')}".strip()
    except (KeyError, TypeError):
        return None


def _matmul_precision() -> str | None:
    if "torch" not in sys.modules:
        return None
    import torch

    return torch.get_float32_matmul_precision()
