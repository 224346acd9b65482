"""A tiny checkpoint on disk, and a Hub on this machine that serves it."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"

TINY_CONFIG: dict[str, Any] = {
    "architectures": ["Sa2VAChatModel"],
    "force_image_size": 56,
    "max_dynamic_patch": 4,
    "template": "qwen_chat",
    "vision_config": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
    },
    "llm_config": {
        "architectures": ["Qwen2ForCausalLM"],
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "sam2": {"image_size": 128},
}
# 6 * 4 + 10 weights
TINY_WEIGHTS = {"a.weight": (6, 4), "a.bias": (10,)}


def write_checkpoint(folder: Path, shapes: dict[str, tuple[int, ...]] = TINY_WEIGHTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(TINY_CONFIG), encoding="utf-8")
    tensors = {name: np.zeros(shape, np.float16) for name, shape in shapes.items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "tiny")


@dataclass
class Hub:
    """A Hub on this machine that has one repository, in the form that huggingface_hub asks for."""

    folder: Path
    repository: str = "someone/tiny"
    refuse_with: int | None = None
    refuse_code: str | None = None
    requests: list[str] = field(default_factory=list)
    address: str = ""

    def add(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def listing(self) -> list[dict[str, Any]]:
        return [
            {
                "type": "file",
                "path": path.name,
                "size": path.stat().st_size,
                "oid": hashlib.sha1(path.read_bytes()).hexdigest(),
            }
            for path in sorted(self.folder.iterdir())
        ]

    def answer(self, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body for a path."""
        self.requests.append(f"{method} {path}")
        api = f"/api/models/{self.repository}"
        if self.refuse_with is not None:
            return self.refuse_with, self._reason(self.refuse_code), b"{}"
        if path == f"{api}/revision/main" or path == api:
            body = {"id": self.repository, "sha": COMMIT, "siblings": []}
            return 200, {}, json.dumps(body).encode()
        if path.startswith(f"{api}/tree/{COMMIT}"):
            return 200, {}, json.dumps(self.listing()).encode()
        file = self.folder / path.rsplit("/", 1)[-1]
        if path.startswith(f"/{self.repository}/resolve/{COMMIT}/") and file.is_file():
            content = file.read_bytes()
            etag = f'"{hashlib.sha1(content).hexdigest()}"'
            return 200, {"ETag": etag, "X-Repo-Commit": COMMIT}, content
        return 404, self._reason("RepoNotFound"), b"{}"

    @staticmethod
    def _reason(code: str | None) -> dict[str, str]:
        return {"X-Error-Code": code} if code else {}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    served = Hub(write_checkpoint(tmp_path / "served"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply()

        def do_HEAD(self) -> None:
            self.reply()

        def reply(self) -> None:
            status, headers, content = served.answer(self.command, self.path.split("?")[0])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.address = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    server.server_close()
    thread.join(5)
