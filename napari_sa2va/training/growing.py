"""Starting from a checkpoint folder: its network in float32, with room for new words.

Tokens of the demo checkpoints keep their ids for ever; new ones are appended, and so are rows of
the two matrices that have one a token. Nothing else changes, so a grown network says word for word
what it said before: new tokens score about as the mean of all do, which no word is chosen by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from tokenizers import Tokenizer
from torch import nn

from napari_sa2va.errors import CheckpointError
from napari_sa2va.model.checkpoint import load_network
from napari_sa2va.model.config import Sa2VAConfig, read_json
from napari_sa2va.model.network import Sa2VANetwork
from napari_sa2va.training.demo_config import demo_config
from napari_sa2va.training.initialise import initialise
from napari_sa2va.training.vocabulary import build_tokenizer, with_words

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from torch import Tensor

# How a new word starts: as the words nearest to it, where there are such.
_LIKE: Final = {
    "Ġlarger": ("Ġlargest", "Ġlarge"),
    "Ġsmaller": ("Ġsmallest", "Ġsmall"),
    "Ġgranular": ("Ġspotted",),
    "Ġfaint": ("Ġdim",),
    "Ġhollow": ("Ġring",),
    "Ġother": ("Ġthe",),
    "Large": ("Ġlarge", "Red"),
    "Small": ("Ġsmall", "Red"),
    "Region": ("Ġregion", "The"),
}


@dataclass(frozen=True, slots=True)
class Start:
    """What a stage starts from.

    Attributes
    ----------
    settings : dict
        The ``config.json`` that will be saved with it.
    """

    network: Sa2VANetwork
    tokenizer: Tokenizer
    settings: dict[str, Any]


def start_from(folder: Path | None, texts: Iterable[str] = (), *, as_it_is: bool = False) -> Start:
    """Read a demo checkpoint's folder to go on training; None for its sizes, from nothing.

    It gets the words of the complete demo, and its sizes of what goes in.

    Parameters
    ----------
    texts : iterable of str
        Questions whose words it shall have as well.
    as_it_is : bool
        Leave the sizes of what goes in: how many tiles an image is cut into, and of what side SAM2
        sees it.

    Raises
    ------
    CheckpointError
        If it cannot be read, is no demo checkpoint, or one of another vocabulary.
    """
    if folder is None:
        tokenizer = with_words(build_tokenizer(), texts)
        settings = demo_config(tokenizer.get_vocab_size())
        network = Sa2VANetwork(Sa2VAConfig.from_dict(settings))
        initialise(network)
        return Start(network, tokenizer, settings)
    Sa2VAConfig.from_folder(folder)  # says what is wrong with one that is none
    settings = read_json(folder / "config.json")
    if not is_demo(settings):
        raise CheckpointError(
            f"{folder} is not a demo checkpoint. The stages train the demo's sizes and words only."
        )
    network = load_network(folder)
    known = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer = with_words(_joined(known, build_tokenizer(), folder), texts)
    settings["llm_config"]["vocab_size"] = tokenizer.get_vocab_size()
    if not as_it_is:
        wanted = demo_config(tokenizer.get_vocab_size())
        settings["max_dynamic_patch"] = wanted["max_dynamic_patch"]
        settings["sam2"]["image_size"] = wanted["sam2"]["image_size"]
    grow(network, tokenizer)
    # Anew, since parts of SAM2 are built for the size of what they see; no weight depends on it.
    resized = Sa2VANetwork(Sa2VAConfig.from_dict(settings))
    resized.load_state_dict(network.state_dict())
    return Start(resized, tokenizer, settings)


def is_demo(settings: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is that of a demo checkpoint, of this or another version."""
    return str(settings.get("name", "")).startswith("Sa2VA demo")


def _joined(old: Tokenizer, new: Tokenizer, folder: Path) -> Tokenizer:
    """Take the one of the two vocabularies that holds the other: a tuned demo has words more."""
    ours, theirs = new.get_vocab(), old.get_vocab()
    fewer, more = sorted((ours, theirs), key=len)
    moved = [token for token, index in fewer.items() if more.get(token) != index]
    if moved:
        raise CheckpointError(
            f"{folder} has other words than this version trains, such as {moved[0]!r}. Start from "
            "the checkpoint that ships with napari-sa2va, or from nothing."
        )
    return old if more is theirs else new


@torch.no_grad()
def grow(network: Sa2VANetwork, tokenizer: Tokenizer) -> None:
    """Append a row to the embeddings and to the language model's head for each new token."""
    language: Any = network.language_model
    embed, head = language.model.embed_tokens, language.lm_head
    known, wanted = len(embed.weight), tokenizer.get_vocab_size()
    if wanted <= known:
        return
    ids = tokenizer.get_vocab()
    names = {index: token for token, index in ids.items()}
    rng = torch.Generator().manual_seed(0)
    embed_rows, head_rows = [], []
    usual: Tensor = embed.weight.std()
    # Scores are states times rows, so the mean of the rows scores the mean of all tokens.
    mean, spread = head.weight.mean(0), head.weight.std()
    for index in range(known, wanted):
        like = [ids[token] for token in _LIKE.get(names[index], ()) if ids[token] < known]
        noise = torch.randn(embed.weight.shape[1], generator=rng)
        if like:
            embed_rows.append(embed.weight[like].mean(0) + 0.2 * usual * noise)
        else:
            embed_rows.append(usual * noise)
        noise = torch.randn(head.weight.shape[1], generator=rng)
        head_rows.append(mean + 0.1 * spread * noise)
    embed.weight = nn.Parameter(torch.cat([embed.weight, torch.stack(embed_rows)]))
    head.weight = nn.Parameter(torch.cat([head.weight, torch.stack(head_rows)]))
    embed.num_embeddings = head.out_features = wanted
    language.config.vocab_size = wanted
