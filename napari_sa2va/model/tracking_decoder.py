"""SAM2's original mask decoder, read from Meta's own file.

A Sa2VA checkpoint has the fine-tuned mask decoder alone; consistent tracking needs the one that
SAM2's memory was trained with. All else of SAM2 was left as it was, so that of Meta's file only
``sam_mask_decoder`` is read.
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.sam2_parts import mask_decoder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_sa2va.model.network import Sa2VANetwork

_NAMES: Final = "sam_mask_decoder."
_WANTED: Final = "Choose the file of SAM 2.0 hiera-large, sam2_hiera_large.pt."
# Small tensors that no two checkpoints have alike; each is part of another stage of the training.
_TELLING: Final = (
    "sam_mask_decoder.mask_tokens.weight",
    "sam_mask_decoder.iou_prediction_head.layers.0.bias",
    "maskmem_tpos_enc",
    "no_mem_embed",
)


def read_tracking_decoder(network: Sa2VANetwork, path: Path) -> nn.Module:
    """Read a mask decoder for the network's SAM2.

    Parameters
    ----------
    network : Sa2VANetwork
        Says the sizes, the device and the dtype; it is not changed.
    path : Path
        Meta's ``sam2_hiera_large.pt``, a dictionary with the weights under ``model``, or a
        safetensors file with the same names. A ``.pt`` file is a pickle and is read with
        ``weights_only``: nothing in it is run.

    Notes
    -----
    The files of SAM 2.1 have the same names and shapes in this decoder, and are taken too. Their
    weights are of another training, with other memory weights beside them than Sa2VA's, so results
    differ from the published ones of Sa2VA-i; SAM 2.0 is the right file.

    Raises
    ------
    CheckpointError
        If the file cannot be read, has no mask decoder, or one of another size.
    """
    found = {
        name.removeprefix(_NAMES): tensor
        for name, tensor in _tensors(path).items()
        if name.startswith(_NAMES)
    }
    if not found:
        raise CheckpointError(f"{path} has no mask decoder of SAM2 in it. {_WANTED}")
    sam2 = network.sam2
    decoder = mask_decoder(sam2.config)
    wanted = decoder.state_dict()
    odd = sorted(wanted.keys() ^ found.keys())
    if odd:
        kind = "lacks" if odd[0] in wanted else "has unknown"
        raise CheckpointError(f"The mask decoder in {path} {kind} {odd[0]}. {_WANTED}")
    for name, tensor in wanted.items():
        if found[name].shape != tensor.shape:
            raise CheckpointError(
                f"The mask decoder in {path} has another size than this checkpoint's: {name} is "
                f"{tuple(found[name].shape)}, not {tuple(tensor.shape)}. {_WANTED}"
            )
        if not found[name].is_floating_point() or not found[name].float().isfinite().all():
            raise CheckpointError(f"{path} is damaged: {name} holds no numbers. Download it again.")
    decoder.load_state_dict({name: tensor.float() for name, tensor in found.items()})
    placed: nn.Module = decoder.to(sam2.device, sam2.dtype).eval().requires_grad_(False)
    return placed


def _tensors(path: Path) -> Mapping[str, Tensor]:
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        with path.open("rb") as file:
            read: Any = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {path}. {_WANTED}") from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged, or holds more than weights, which is not read: it could run code. "
            f"{_WANTED}"
        ) from error
    # What a cut file makes torch raise depends on where it was cut.
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile) as e:
        raise CheckpointError(
            f"{path} cannot be read: it is cut short, damaged or of another kind. Download it "
            f"again. {_WANTED}"
        ) from e
    weights = read.get("model", read) if isinstance(read, dict) else {}
    if not isinstance(weights, dict):
        weights = {}
    return {
        name: value
        for name, value in weights.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }


def fingerprint(network: Sa2VANetwork, *, consistent: bool) -> str:
    """Return what tells the weights that a tracking run depends on.

    Equal for the same checkpoint in float32 and bfloat16, on any device. With a second decoder, in
    the consistent way, that one counts too.
    """
    weights = network.sam2.state_dict()
    told = [weights[name] for name in _TELLING]
    told += [network.backbone.telling, network.text_hidden_fcs[2].bias]
    decoder = network.sam2.tracking_decoder if consistent else None
    if decoder is not None:
        told += [decoder.state_dict()[name.partition(".")[2]] for name in _TELLING[:2]]
    digest = hashlib.blake2b(digest_size=16)
    for tensor in told:
        digest.update(tensor.detach().to("cpu", torch.bfloat16).view(torch.int16).numpy().tobytes())
    return digest.hexdigest()
