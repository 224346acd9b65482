from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from napari_sa2va.errors import Cancelled
from napari_sa2va.zoo.weights import weights_identity

if TYPE_CHECKING:
    from pathlib import Path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_one_file_has_the_sum_that_sha256sum_prints(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    told: list[float] = []
    found = weights_identity(tmp_path, lambda _, fraction: told.append(fraction))
    assert found.digest == f"sha256:{sha256(b'weights')}"
    assert found.revision == ""
    assert told == [1.0]


def test_a_file_is_read_once_and_again_when_it_changed(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    first = weights_identity(tmp_path)
    told: list[float] = []
    assert weights_identity(tmp_path, lambda _, fraction: told.append(fraction)) == first
    assert not told
    file.write_bytes(b"others!")
    os.utime(file, ns=(1, 1))
    assert weights_identity(tmp_path).digest == f"sha256:{sha256(b'others!')}"


def test_several_files_have_the_sum_of_their_sums(tmp_path: Path) -> None:
    for name, content in (("b.safetensors", b"two"), ("a.safetensors", b"one")):
        (tmp_path / name).write_bytes(content)
    lines = f"{sha256(b'one')}  a.safetensors\n{sha256(b'two')}  b.safetensors\n"
    assert weights_identity(tmp_path).digest == f"sha256:{sha256(lines.encode())}"


def test_the_hubs_cache_is_not_read(tmp_path: Path) -> None:
    commit, digest = "0123456789" * 4, "ab" * 32
    blob = tmp_path / "blobs" / digest
    blob.parent.mkdir()
    blob.write_bytes(b"not these bytes")
    folder = tmp_path / "snapshots" / commit
    folder.mkdir(parents=True)
    try:
        (folder / "model.safetensors").symlink_to(blob)
    except OSError:
        pytest.skip("this system makes no links")
    found = weights_identity(folder)
    assert (found.digest, found.revision) == (f"sha256:{digest}", commit)


def test_no_weights_and_a_cancel(tmp_path: Path) -> None:
    assert weights_identity(tmp_path).digest == ""
    (tmp_path / "model.safetensors").write_bytes(b"never read before")
    with pytest.raises(Cancelled):
        weights_identity(tmp_path, cancelled=lambda: True)
