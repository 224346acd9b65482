"""The golden checkpoints, written and loaded once."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_sa2va.model import Sa2VA
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.network import Sa2VANetwork
from napari_sa2va.model.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from napari_sa2va.model.config import Sam2Config


def _golden() -> ModuleType:
    """Import golden.py beside this file: test folders are no packages."""
    if "golden" not in sys.modules:
        spec = importlib.util.spec_from_file_location("golden", Path(__file__).parent / "golden.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["golden"] = module
        spec.loader.exec_module(module)
    return sys.modules["golden"]


golden = _golden()


@pytest.fixture(scope="session")
def internvl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A golden checkpoint folder; do not change it."""
    return golden.write_checkpoint("internvl", tmp_path_factory.mktemp("internvl"))


@pytest.fixture(scope="session")
def internvl(internvl_folder: Path) -> Sa2VA:
    """The golden model in float32 on the CPU."""
    return Sa2VA.from_pretrained(internvl_folder, device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def loaded(internvl: Sa2VA, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Sa2VA]:
    """Golden models by family, in float32 on the CPU, loaded once."""
    kept = {"internvl": internvl}

    def model(family: str) -> Sa2VA:
        if family not in kept:
            folder = golden.write_checkpoint(family, tmp_path_factory.mktemp(family))
            kept[family] = Sa2VA.from_pretrained(folder, device="cpu", dtype="float32")
        return kept[family]

    return model


@pytest.fixture(scope="session")
def small_sam2() -> Sam2Config:
    """Sizes of a SAM2 so small that many frames take no time."""
    return replace(
        Sa2VAConfig.from_folder(golden.GOLDEN / "internvl").sam2,
        image_size=64,
        d_model=32,
        memory_layers=1,
        memory_feedforward=32,
        memory_dimension=16,
        decoder_feedforward=32,
        decoder_iou_hidden=16,
    )


@pytest.fixture(scope="session")
def small(small_sam2: Sam2Config) -> Sa2VA:
    """A model with such a SAM2; its weights are random."""
    config = Sa2VAConfig.from_folder(golden.GOLDEN / "internvl")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = Sa2VANetwork(replace(config, sam2=small_sam2)).eval().requires_grad_(False)
    return Sa2VA(network, Tokenizer(golden.GOLDEN / "internvl"))


@pytest.fixture(scope="session")
def cases() -> Any:
    """Golden cases by name, read once."""
    kept: dict[tuple[str, str], dict[str, Any]] = {}

    def case(name: str, family: str = "internvl") -> dict[str, Any]:
        if (family, name) not in kept:
            kept[family, name] = golden.case(family, name)
        return kept[family, name]

    return case
