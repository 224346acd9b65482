"""The tables of checkpoints and what each can do, as the README and docs/models.md show them."""

from __future__ import annotations

from typing import Final

from napari_sa2va.zoo.catalogue import CATALOGUE, Capability, Checkpoint
from napari_sa2va.zoo.fit import estimate_published, gib

# What readers know them as.
COLUMNS: Final[dict[Capability, str]] = {
    Capability.SEGMENT: "image",
    Capability.VIDEO: "video",
    Capability.REGION: "region prompts",
    Capability.CAPTION: "grounded captions",
    Capability.ASK: "chat",
}


def markdown_table() -> str:
    """Write all checkpoints of the catalogue as a table in Markdown, one a line.

    Memory is estimated for the largest image that a checkpoint takes, in float32 and bfloat16.
    """
    heads = ["name", "size", "memory in float32 / bfloat16", *COLUMNS.values()]
    return _table(heads, [_row(checkpoint) for checkpoint in CATALOGUE])


def abilities_table() -> str:
    """Write in Markdown what each checkpoint is made of and can do.

    The dock offers what this says (`napari_sa2va.zoo.abilities`).
    """
    heads = ["name", "vision", "language model", *COLUMNS.values()]
    rows = [[f"`{c.name}`", c.backbone, c.language_model, *_can(c)] for c in CATALOGUE]
    return _table(heads, rows)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(checkpoint: Checkpoint) -> list[str]:
    if checkpoint.hub_id is None:
        described = [f"`{checkpoint.name}`", "in the package", "little"]
    else:
        name = f"[`{checkpoint.hub_id}`](https://huggingface.co/{checkpoint.hub_id})"
        needs = [estimate_published(checkpoint, dtype) for dtype in ("float32", "bfloat16")]
        memory = " / ".join("?" if need is None else gib(need.total) for need in needs)
        described = [name, f"{checkpoint.parameters / 1e9:.1f} B", memory]
    if checkpoint.unsupported is not None:
        described[-1] = "not yet run"
    return [*described, *_can(checkpoint)]


def _can(checkpoint: Checkpoint) -> list[str]:
    return ["yes" if one in checkpoint.capabilities else "–" for one in COLUMNS]  # noqa: RUF001
