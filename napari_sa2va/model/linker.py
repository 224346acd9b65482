"""Keeping two copies of LLVM in one process apart."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys


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
