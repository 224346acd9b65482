"""A Hub on this machine that misbehaves on purpose.

It answers what huggingface_hub asks for (model info with checksums, files of a commit) as the real
one does: small files directly with git's SHA-1 as ETag, large ones (safetensors, pt) through a
redirection to another path with X-Linked-ETag, with range requests.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".pt", ".bin")


@dataclass
class Fault:
    """One misbehaviour.

    Attributes
    ----------
    kind : str
        See `Answer.misbehave` and `Handler`.
    where : str
        ``"info"``, ``"file"`` (the address of a file), or ``"data"`` (its bytes).
    times : int
        How often; -1 for always.
    at : float
        Where in the body, 0 to 1.
    name : str
        Of the only file that it concerns; empty for all.
    """

    kind: str
    where: str = "data"
    times: int = 1
    at: float = 0.5
    name: str = ""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    # What is sent of the body before the connection ends; None for all, and it stays open.
    cut: int | None = None
    reset: bool = False
    pause: float = 0.0


@dataclass
class Hub:
    """One repository, and what is wrong with the Hub today."""

    folder: Path
    repository: str = "someone/tiny"
    commit: str = COMMIT
    token: str | None = None
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    address: str = ""
    sent: int = 0
    stall: float = 3.0
    tags: tuple[str, ...] = ()

    def add(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}

    # --- answers

    def answer(self, method: str, path: str, headers: Any) -> Answer:
        self.requests.append(f"{method} {path}")
        self.tokens.append(headers.get("Authorization"))
        where, name = self._place(path)
        answer = self._honest(path, where, name, headers)
        if method == "HEAD":
            return answer
        for fault in self.faults:
            if fault.times and fault.where == where and fault.name in ("", name):
                fault.times -= 1
                self._misbehave(answer, fault, name)
                break
        return answer

    def _place(self, path: str) -> tuple[str, str]:
        if path.startswith("/api/models/"):
            return "info", ""
        name = path.rsplit("/", 1)[-1]
        direct = "/resolve/" in path
        return ("file" if direct and name.endswith(LARGE) else "data"), name

    def _honest(self, path: str, where: str, name: str, headers: Any) -> Answer:
        if self.token is not None and headers.get("Authorization") != f"Bearer {self.token}":
            if where != "data" or not path.startswith("/store/"):
                return Answer(401, {"X-Error-Message": "Invalid username or password."}, b"{}")
        info = re.fullmatch(rf"/api/models/{self.repository}/revision/(.+)", path)
        if info:
            if info[1] not in ("main", self.commit):
                return Answer(404, {"X-Error-Code": "RevisionNotFound"}, b"{}")
            return Answer(
                200, {"Content-Type": "application/json"}, json.dumps(self.info()).encode()
            )
        file = self.folder / name
        resolved = path.startswith(f"/{self.repository}/resolve/{self.commit}/")
        if not file.is_file() or not (resolved or path.startswith("/store/")):
            return Answer(404, {"X-Error-Code": "RepoNotFound"}, b"{}")
        content = file.read_bytes()
        known = {"X-Repo-Commit": self.commit, "ETag": f'"{digest(name, content)}"'}
        if where == "file":
            known |= {
                "X-Linked-ETag": f'"{digest(name, content)}"',
                "X-Linked-Size": str(len(content)),
                "Location": f"{self.address}/store/{name}",
            }
            return Answer(302, known, b"")
        known["Accept-Ranges"] = "bytes"
        asked = re.fullmatch(r"bytes=(\d+)-", headers.get("Range", ""))
        if asked is None:
            return Answer(200, known, content)
        start = int(asked[1])
        if start >= len(content):
            return Answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
        known["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Answer(206, known, content[start:])

    def info(self) -> dict[str, Any]:
        siblings = []
        for name, content in self.contents().items():
            entry: dict[str, Any] = {"rfilename": name, "size": len(content)}
            entry["blobId"] = git_sha1(content)
            if name.endswith(LARGE):
                sha = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": sha, "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        siblings.append({"rfilename": "sub/folder.json", "size": 2, "blobId": git_sha1(b"{}")})
        return {"id": self.repository, "sha": self.commit, "siblings": siblings, "tags": self.tags}

    def _misbehave(self, answer: Answer, fault: Fault, name: str) -> None:
        """Spoil an honest answer."""
        body, kind = answer.body, fault.kind
        place = int(len(body) * fault.at)
        if kind.isdigit():  # a status, perhaps with a reason: see REASONS
            answer.status, answer.body = int(kind), b'{"error": "no"}'
            answer.headers = {}
        elif kind == "busy":
            answer.status, answer.headers, answer.body = 429, {"Retry-After": "0"}, b"{}"
        elif kind == "very busy":
            answer.status, answer.body = 429, b"{}"
            answer.headers = {"RateLimit": '"api";r=0;t=3000', "RateLimit-Policy": '"api";q=5;w=9'}
        elif kind == "gated":
            answer.status, answer.headers, answer.body = 403, {"X-Error-Code": "GatedRepo"}, b"{}"
        elif kind == "bad token":
            answer.status, answer.body = 401, b"{}"
            answer.headers = {"X-Error-Message": "Invalid credentials in Authorization header"}
        elif kind == "cut":
            answer.cut = place
        elif kind == "reset":
            answer.cut, answer.reset = place, True
        elif kind == "silence":
            answer.cut, answer.status = 0, 0
        elif kind == "stall":
            answer.cut, answer.pause = place, self.stall
        elif kind == "flip" and body:
            at = min(place, len(body) - 1)
            answer.body = body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1 :]
        elif kind == "short":
            answer.body = body[:place]
        elif kind == "long":
            answer.body = body + b"more"
            answer.headers.pop("Content-Range", None)
            answer.status = 200
        elif kind == "whole":  # Range is ignored
            if name:
                answer.status, answer.body = 200, (self.folder / name).read_bytes()
                answer.headers.pop("Content-Range", None)
        elif kind == "shifted" and "Content-Range" in answer.headers:
            answer.headers["Content-Range"] = f"bytes 0-{len(body) - 1}/{len(body)}"
        elif kind == "gzip":
            answer.body = gzip.compress(body)
            answer.headers["Content-Encoding"] = "gzip"
        elif kind == "page":  # of a captive portal
            answer.status, answer.body = 200, b"<html>Please log in to the network</html>"
            answer.headers = {"Content-Type": "text/html"}
        elif kind == "no sums":
            answer.body = re.sub(rb'"(lfs|blobId)": ("[^"]*"|\{[^}]*\})', rb'"x": 0', body)
        elif kind == "other sums":
            answer.body = re.sub(rb'"sha256": "....', b'"sha256": "0000', body)
        elif kind == "other sizes":
            answer.body = re.sub(rb'"size": (\d+)', rb'"size": 1\1', body)
        elif kind == "other place":
            answer.headers["Location"] = "http://127.0.0.1:9/store/x"


def digest(name: str, content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if name.endswith(LARGE) else git_sha1(content)


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Answer at an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply()

        def do_HEAD(self) -> None:
            self.reply()

        def reply(self) -> None:
            answer = hub.answer(self.command, unquote(urlsplit(self.path).path), self.headers)
            with suppress(ConnectionError):
                if answer.status:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(answer.body)))
                    self.end_headers()
                    if self.command == "GET":
                        self.wfile.write(answer.body[: answer.cut])
                        hub.sent += len(answer.body[: answer.cut])
                        self.wfile.flush()
                if answer.cut is not None:
                    time.sleep(answer.pause)
                    self.close_connection = True
                    if answer.reset:
                        linger = struct.pack("ii", 1, 0)  # closing then sends a reset
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that went away is no matter."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
