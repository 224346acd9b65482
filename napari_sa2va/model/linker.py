"""Loading shared libraries: two copies of LLVM kept apart, and large ones beside other threads."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Final

# In the order of their dependencies: CUDA's and MKL's own, torch's base, its kernels, its bindings.
_TORCH_LIBRARIES: Final = ("libtorch_global_deps.so", "libtorch_cpu.so", "libtorch_python.so")


def spin_little() -> None:
    """Let the threads of GNU's OpenMP soon sleep when they wait; call it before torch is loaded.

    Spinning threads take the processor from the window and from each other. With one of two cores
    busy elsewhere, the demo checkpoint tracked a frame in 220 ms as it is by default, in 122 ms
    so, and in 105 ms with ``OMP_WAIT_POLICY=PASSIVE``; with both cores free in 77, 88 and 120 ms
    (torch 2.14, Zen 3). Who set the policy or the count keeps theirs.
    """
    if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        os.environ["GOMP_SPINCOUNT"] = "1000"


def load_torch_libraries() -> None:
    """Load torch's shared libraries, which a later import of torch then finds loaded.

    Python keeps all threads waiting while it loads a library for an import, 0.4 to 1.6 s for
    torch's; a call through ctypes lets them run. On Linux; elsewhere it was not tried.
    """
    spin_little()
    if not sys.platform.startswith("linux") or "torch" in sys.modules:
        return
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    for name in _TORCH_LIBRARIES:
        # As torch opens them. Of one that cannot be loaded the import of torch will tell.
        seen_by = os.RTLD_GLOBAL if name == "libtorch_global_deps.so" else os.RTLD_LOCAL
        dlopen(os.fsencode(Path(spec.origin).parent / "lib" / name), os.RTLD_NOW | seen_by)


def load_triton_apart() -> None:
    """Import Triton so that it uses its own LLVM; call it before torch or transformers load it.

    On Linux, Mesa's OpenGL drivers (software rendering, AMD) load the system's libLLVM, and
    ``libtriton.so``, which brings an LLVM of its own, then finds Mesa's symbols first: importing
    Triton in a process with an open napari window crashes the interpreter (seen with Mesa 22.3,
    LLVM 15 and Triton 3.8). transformers imports it by way of torch's compiler. ``RTLD_DEEPBIND``
    makes a library prefer its own symbols.
    """
    if not sys.platform.startswith("linux") or "triton" in sys.modules:
        return
    if importlib.util.find_spec("triton") is None:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        importlib.import_module("triton")
    except ImportError:
        return  # broken, and then of no use to torch either
    finally:
        sys.setdlopenflags(flags)
