"""Reading and writing checkpoint folders in the official format, without their remote code."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.config import Sa2VAConfig
from napari_sa2va.model.failures import stop_if, translated
from napari_sa2va.model.filling import ALWAYS_FLOAT32, Filling, emptied, give_back
from napari_sa2va.model.names import Stored, has_two_decoders, packed
from napari_sa2va.model.network import Sa2VANetwork
from napari_sa2va.model.quantized import quantized_as
from napari_sa2va.model.shards import AGAIN, INDEX, SINGLE, Shards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    Progress = Callable[[str, float], object]

_TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "generation_config.json",
)


def load_network(
    folder: Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Sa2VANetwork:
    """Read a checkpoint folder.

    Each tensor goes from its file, which is mapped, not read, to its place on the device. Memory
    never holds more than the network and a part of one tensor; when the loading fails or is
    cancelled, it holds nothing.

    Parameters
    ----------
    folder : Path
        With ``config.json`` and safetensors files.
    dtype : torch.dtype
        Of all weights; or ``torch.int8`` or ``torch.int4``, which the language model's layers are
        rounded to one by one, the rest being in `plain_dtype`.
    progress : callable, optional
        Called with a message and the fraction read, 0 to 1.
    cancelled : callable, optional
        Asked between tensors; true ends the loading.

    Returns
    -------
    Sa2VANetwork
        In evaluation mode, no parameter asking for a gradient.

    Raises
    ------
    CheckpointError
        If files are missing, damaged, or do not fit the configuration.
    NotEnoughMemory
        If the device cannot hold the network.
    Cancelled
    """
    config, place = Sa2VAConfig.from_folder(folder), torch.device(device)
    with Shards(folder) as shards, translated("loading the model"):
        network = empty_network(config, has_two_decoders(shards.names), folder)
        give_back()  # SAM2 is built in memory before it goes to the meta device
        filling = Filling(network, shards, place, dtype)
        try:
            wanted = match_names(network, shards.names, str(folder))
            total = sum(t.numel() for t in network.state_dict().values())
            done = 0
            for name in shards.names_by_file(wanted):
                stop_if(cancelled)
                done += filling.place(name, wanted[name])
                if progress is not None:
                    progress(f"Reading {shards.file(name).name}", done / total)
            for module in network.modules():  # frequencies that no checkpoint holds
                for key, buffer in module.named_buffers(recurse=False):
                    kept = key not in module._non_persistent_buffers_set
                    module.register_buffer(key, buffer.to(place), persistent=kept)
        except BaseException:
            emptied(network)  # whoever keeps the error keeps this frame too
            raise
    give_back()
    return network


def empty_network(config: Sa2VAConfig, two_decoders: bool, folder: Path) -> Sa2VANetwork:
    """Build the network that a configuration describes, on the meta device."""
    try:
        return Sa2VANetwork.empty(config, two_decoders)
    except CheckpointError:
        raise
    except Exception as error:  # whatever odd sizes in a file lead transformers or sam2 to raise
        raise CheckpointError(
            f"{folder / 'config.json'} describes a model that cannot be built ({error!r}). {AGAIN}"
        ) from error


def match_names(
    network: Sa2VANetwork, stored: Iterable[str], source: str
) -> dict[str, list[tuple[str, Stored]]]:
    """Find for every stored tensor the parameters that it fills.

    Parameters
    ----------
    network : Sa2VANetwork
        On any device.
    stored : iterable of str
        Names in the checkpoint.
    source : str
        What to call the checkpoint in an error.

    Returns
    -------
    dict of str to list of (str, Stored)
        Official name to our names and which part of the tensor each is.

    Raises
    ------
    CheckpointError
        If a name is missing on either side.
    """
    names = set(stored)
    naming = network.naming(names)
    wanted: dict[str, list[tuple[str, Stored]]] = defaultdict(list)
    for ours in network.state_dict():
        place = naming(ours)
        wanted[place.name].append((ours, place))
    for what, which in (
        ("lacks", sorted(wanted.keys() - names)),
        ("has unknown", sorted(names - wanted.keys())),
    ):
        if which:
            raise CheckpointError(
                f"{source} {what} {len(which)} of the model's tensors, such as {which[0]}: its "
                f"weights and its config.json do not belong together. {AGAIN}"
            )
    return dict(wanted)


def save_checkpoint(
    network: Sa2VANetwork,
    config: dict[str, Any],
    tokenizer_folder: Path,
    folder: Path,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a checkpoint folder in the official format, which `load_network` reads back.

    Parameters
    ----------
    config : dict
        The contents of ``config.json``.
    tokenizer_folder : Path
        Where the tokenizer's files are copied from; may be `folder`.
    dtype : torch.dtype
        What the weights are rounded to.

    Raises
    ------
    CheckpointError
        If a weight is not finite in that dtype, or a file cannot be written.
    """
    tensors = official_state(network, dtype)
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise CheckpointError(f"{name} is not finite as {dtype}: the network is not saved.")
    split = split_torch_state_dict_into_shards(tensors, max_shard_size="4GB")
    parts = {file: folder / f"{file}.part" for file in split.filename_to_tensors}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, names in split.filename_to_tensors.items():
            kept = {name: tensors[name] for name in names}
            save_file(kept, parts[file], metadata={"format": "pt"})
        # Only now: new and old files side by side would load without complaint.
        for file, part in parts.items():
            part.replace(folder / file)
        (folder / (SINGLE if split.is_sharded else INDEX)).unlink(
            missing_ok=True
        )  # of an older save
        if split.is_sharded:
            index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
            (folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
        (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
        for file in _TOKENIZER_FILES:
            source, target = tokenizer_folder / file, folder / file
            if source.is_file() and source.resolve() != target.resolve():
                shutil.copyfile(source, target)
    except (OSError, SafetensorError) as error:  # the latter where the disk is full
        raise CheckpointError(f"The checkpoint cannot be written to {folder}: {error}.") from error
    finally:
        for part in parts.values():  # of a write that failed: they would keep a full disk full
            with suppress(OSError):
                part.unlink()


def official_state(network: Sa2VANetwork, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return a network's weights on the CPU under their official names.

    Raises
    ------
    CheckpointError
        If weights were rounded to few bits when they were read.
    """
    if (few_bits := quantized_as(network)) is not None:
        raise CheckpointError(f"A model in {few_bits} cannot be saved. Load it in float32 first.")
    naming = network.naming()
    parts: dict[str, list[tuple[Stored, Tensor]]] = defaultdict(list)
    for ours, tensor in network.state_dict().items():
        place = naming(ours)
        kept = torch.float32 if place.name.endswith(ALWAYS_FLOAT32) else dtype
        parts[place.name].append((place, tensor.detach().to("cpu", kept)))
    return {name: packed(pieces) for name, pieces in parts.items()}
