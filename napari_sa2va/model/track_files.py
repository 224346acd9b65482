"""The state of a tracking run as a file: tensors in safetensors, all else as JSON beside them.

The JSON stands in the file's metadata, with a tensor's name in each place of a tensor. A tensor
that stands in several places is written once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from safetensors import SafetensorError
from safetensors.torch import load, save

from napari_sa2va.errors import InvalidInput
from napari_sa2va.io.atomic import replacing
from napari_sa2va.model.drift import Usual
from napari_sa2va.model.memory import Memory, Remembered
from napari_sa2va.model.outcome import Outcome
from napari_sa2va.model.results import FollowedObject
from napari_sa2va.model.track_state import Group, Pass, TrackState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    Give = Callable[[Tensor], str]
    Take = Callable[[str], Tensor]

_KIND: Final = "napari-sa2va tracking state"
_VERSION: Final = 1


def write_state(state: TrackState, path: str | Path) -> None:
    """Write a state; see `TrackState.save`."""
    named: dict[int, tuple[str, Tensor]] = {}

    def give(tensor: Tensor) -> str:
        name, _ = named.setdefault(id(tensor), (f"t{len(named)}", tensor))
        return name

    described = {"version": _VERSION, **_describe_state(state, give)}
    # Copies: tensors that share their memory cannot be written.
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in named.values()}
    data = save(tensors, metadata={"kind": _KIND, "state": json.dumps(described)})
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(data)


def read_state(path: str | Path) -> TrackState:
    """Read a state; see `TrackState.load`."""
    damaged = InvalidInput(
        f"{path} is no saved tracking run of this version, or it is damaged. Track anew."
    )
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        # The header: its length in 8 bytes, then JSON. The library shows metadata of files only.
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        if metadata["kind"] != _KIND:
            raise damaged
        described = json.loads(metadata["state"])
        if described["version"] != _VERSION:
            raise damaged
        return _state(described, load(data).__getitem__)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged from error


def _describe_state(state: TrackState, give: Give) -> dict[str, Any]:
    return {
        "model": state.model,
        "method": state.method,
        "direction": state.direction,
        "within": state.within,
        "size": state.size,
        "keys": state.keys,
        "texts": state.texts,
        "objects": [[one.question, one.phrase] for one in state.objects],
        "check_every": state.check_every,
        "reseed": state.reseed,
        "max_new_tokens": state.max_new_tokens,
        "seeds": [[index, *map(give, seed)] for index, seed in state.seeds.items()],
        "forward": _describe_pass(state.forward, give),
        "backward": _describe_pass(state.backward, give),
    }


def _state(said: Mapping[str, Any], take: Take) -> TrackState:
    return TrackState(
        model=said["model"],
        method=said["method"],
        direction=said["direction"],
        within=tuple(said["within"]),
        size=tuple(said["size"]),
        keys=tuple(said["keys"]),
        texts=tuple(said["texts"]),
        objects=tuple(FollowedObject(*one) for one in said["objects"]),
        check_every=said["check_every"],
        reseed=said["reseed"],
        max_new_tokens=said["max_new_tokens"],
        seeds={index: Outcome(*map(take, names)) for index, *names in said["seeds"]},
        forward=_pass(said["forward"], take),
        backward=_pass(said["backward"], take),
    )


def _describe_pass(going: Pass, give: Give) -> dict[str, Any]:
    return {
        "backward": going.backward,
        "next": going.next,
        "usual": [[usual.iou, usual.area, usual.there] for usual in going.usual],
        "groups": [
            {
                "rows": group.rows,
                "seeds": _describe_frames(group.memory.seeds, give),
                "reseeds": _describe_frames(group.memory.reseeds, give),
                "followed": _describe_frames(group.memory.followed, give),
            }
            for group in going.groups
        ],
    }


def _pass(said: Mapping[str, Any], take: Take) -> Pass:
    groups = tuple(
        Group(
            tuple(group["rows"]),
            Memory(*(_frames(group[kind], take) for kind in ("seeds", "reseeds", "followed"))),
        )
        for group in said["groups"]
    )
    usual = tuple(Usual(*one) for one in said["usual"])
    return Pass(backward=said["backward"], next=said["next"], groups=groups, usual=usual)


def _describe_frames(kept: Mapping[int, Remembered], give: Give) -> list[list[Any]]:
    """Write frames in their order, which counts."""
    return [
        [index, None if seen.map is None else give(seen.map), give(seen.pointer)]
        for index, seen in kept.items()
    ]


def _frames(said: list[list[Any]], take: Take) -> dict[int, Remembered]:
    return {
        index: Remembered(None if name is None else take(name), take(pointer))
        for index, name, pointer in said
    }
