"""What the program must not do: use the network unasked, or run what a checkpoint brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# A hook of the interpreter that sees every socket, whichever library opens it. The name of this
# machine is no matter of the network.
WITHOUT_SOCKETS = """
import sys

def hook(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        raise SystemExit(f"a socket was used: {event} {arguments}")

sys.addaudithook(hook)
from napari_sa2va.cli import main
main()
"""


def test_the_main_job_needs_no_network(tmp_path: Path) -> None:
    settings = {"HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "huggingface")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SOCKETS, "demo", "--headless", "-o", "out"],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert "a socket was used" not in done.stdout + done.stderr
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "cells_labels.tif").is_file()


def test_the_guard_sees_sockets() -> None:
    code = WITHOUT_SOCKETS.replace("from napari_sa2va.cli import main\nmain()", "import socket")
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nsocket.create_connection(('127.0.0.1', 9))"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "a socket was used" in done.stderr


def test_a_checkpoint_s_code_is_never_run(
    call: Any, image_file: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    """A folder that names remote code, in its configuration and tokenizer, loads without it."""
    folder = tmp_path / "with code"
    folder.mkdir()
    for file in tiny_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    witness = tmp_path / "ran"
    code = f"open({str(witness)!r}, 'w').close()\nclass Sa2VAChatModel: ...\n"
    for name in ("modeling_sa2va_chat.py", "tokenization_x.py", "__init__.py"):
        (folder / name).write_text(code, encoding="utf-8")
    auto = {"AutoModel": "modeling_sa2va_chat.Sa2VAChatModel"}
    for name, entry in (
        ("config.json", auto),
        ("tokenizer_config.json", {"AutoTokenizer": ["tokenization_x.X", None]}),
    ):
        said = json.loads((folder / name).read_text(encoding="utf-8"))
        said["auto_map"] = entry
        said["chat_template"] = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
        (folder / name).write_text(json.dumps(said), encoding="utf-8")
    done = call("ask", image_file, "What is this?", "--model", folder, "--device", "cpu")
    assert done.code == 0, done.err
    assert not witness.exists()
