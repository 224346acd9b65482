"""The table of published checkpoints and what each can do, as the README shows it."""

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
    lines = [heads, ["---"] * len(heads), *(_row(checkpoint) for checkpoint in CATALOGUE)]
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
    can = ["yes" if one in checkpoint.capabilities else "–" for one in COLUMNS]  # noqa: RUF001
    return [*described, *can]
