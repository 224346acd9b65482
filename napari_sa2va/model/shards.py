"""Reading tensors from a checkpoint's safetensors files, whole or in shards."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from safetensors import SafetensorError, safe_open

from napari_sa2va.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from torch import Tensor

SINGLE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
AGAIN: Final = "Download the checkpoint again."


class Shards:
    """The tensors of a checkpoint folder, by name, read one at a time.

    A context manager: files are open between entering and leaving.

    Parameters
    ----------
    folder : Path
        Holds ``model.safetensors``, or an index and its shards.

    Raises
    ------
    CheckpointError
        On entering, if a file is missing, cut short or not what the index says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, Any] = {}
        self._readers: dict[str, Any] = {}
        self._where: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Shards:
        try:
            listed = self._listed()
            for file in sorted(set(listed.values())) if listed is not None else [SINGLE]:
                self._open(file)
            if listed is not None:
                self._compare(listed)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def names(self) -> set[str]:
        """Names of all tensors, as stored."""
        return set(self._where)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor without reading it."""
        return tuple(self._files[self._where[name]].get_slice(name).get_shape())

    def file(self, name: str) -> Path:
        """Return the file that holds a tensor."""
        return self.folder / self._where[name]

    def read(self, name: str) -> Tensor:
        """Read a tensor, as stored; it may be a view of the file and must not outlive `self`."""
        try:
            tensor: Tensor = self._reader(self._where[name]).get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{self.file(name)} cannot be read: {error}. {AGAIN}") from error
        return tensor

    def names_by_file(self, names: Iterable[str]) -> list[str]:
        """Order names so that each file is read through before the next one."""
        return sorted(names, key=lambda name: (self._where[name], name))

    def _listed(self) -> dict[str, str] | None:
        """Return what the index says, or None where one file holds everything."""
        path = self.folder / INDEX
        if (self.folder / SINGLE).is_file() or not path.is_file():
            return None
        try:
            listed = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
            files = set(listed.values())
            # Names of files beside the index: it must not lead anywhere else on the disk (a colon
            # does, on Windows).
            good = all(
                isinstance(file, str)
                and file.endswith(".safetensors")
                and not any(sign in file for sign in "/\\:")
                for file in files
            )
        except (
            OSError,
            ValueError,
            KeyError,
            AttributeError,
            TypeError,
            RecursionError,
        ) as error:
            raise CheckpointError(f"{path} is damaged ({error!r}). {AGAIN}") from error
        if not good or not files:
            raise CheckpointError(f"{path} is damaged: it names no safetensors files. {AGAIN}")
        return dict(listed)

    def _open(self, file: str) -> None:
        path = self.folder / file
        if not path.is_file():
            found = any(self.folder.glob("*.bin")) or any(self.folder.glob("*.pth"))
            reason = (
                "Weights in pickle files (.bin, .pth) are not read: they can run code. Choose a "
                "checkpoint in safetensors files."
                if found
                else AGAIN
            )
            raise CheckpointError(f"{path} is missing. {reason}")
        try:
            # Names and shapes are read without torch, whose import takes seconds: lists of models,
            # and windows, ask for them.
            opened = self._stack.enter_context(safe_open(path, framework="numpy", device="cpu"))
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path} is cut short or damaged ({error}). Delete it. {AGAIN}"
            ) from error
        self._files[file] = opened
        for name in opened.keys():
            if name in self._where:
                raise CheckpointError(f"{path} and another file both hold {name}. {AGAIN}")
            self._where[name] = file

    def _reader(self, file: str) -> Any:
        if file not in self._readers:
            opened = safe_open(self.folder / file, framework="pt", device="cpu")
            self._readers[file] = self._stack.enter_context(opened)
        return self._readers[file]

    def _compare(self, listed: dict[str, str]) -> None:
        for name, file in listed.items():
            if self._where.get(name) != file:
                raise CheckpointError(
                    f"{self.folder / file} does not hold {name}, though {INDEX} says so. {AGAIN}"
                )
