"""A real ComfyUI process with the pack in it, and a client for its HTTP API."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from .host import PACK
from .websocket import WebSocket

Progress = Callable[[str, int, int], None]
"""Called with a node's id, the steps it has done and the steps it has in all (0, 1 when it starts)."""


class ServerError(RuntimeError):
    """The server did not start, died, or refused or failed a workflow; the message names the node that failed.

    Attributes:
        message: what went wrong, without the traceback.
    """

    def __init__(self, message: str, traceback: str = ""):
        super().__init__(f"{message}\n{traceback}".strip())
        self.message = message


class ComfyServer:
    """One ComfyUI with a base directory of its own, so that nothing is read from or written to the host's folder.

    Use it as a context manager; leaving it stops the process and removes the base directory.
    """

    def __init__(
        self, host: Path, python: Path | str, *, cpu: bool = True, pack: Path = PACK, options: tuple = (),
        environment: Mapping[str, str] | None = None,
    ):  # fmt: skip
        """
        Args:
            host: the ComfyUI checkout.
            python: the Python it runs with.
            cpu: whether it is kept off the GPU.
            pack: the folder linked into its custom_nodes.
            options: further command line arguments of main.py.
            environment: variables that the process gets besides this one's.
        """
        self.host, self.pack = host, pack
        self.base = Path(tempfile.mkdtemp(prefix="msd-comfyui-"))
        for folder in ("custom_nodes", "input", "output", "models", "temp", "user"):
            (self.base / folder).mkdir()
        self.input, self.output, self.models = (self.base / name for name in ("input", "output", "models"))
        self.address, self.port = "127.0.0.1", _free_port()
        self.url = f"http://{self.address}:{self.port}"
        self._command = [
            str(python),
            str(host / "main.py"),
            *("--listen", self.address, "--port", str(self.port), "--base-directory", str(self.base)),
            *("--database-url", "sqlite:///:memory:", "--disable-auto-launch", "--disable-api-nodes"),
            *(["--cpu"] if cpu else []),
            *options,
        ]
        self._environment = dict(environment or {})
        self._process: subprocess.Popen | None = None
        self._log = self.base / "server.log"
        self._linked = self.base / "custom_nodes" / "ms-diffusion"

    def __enter__(self) -> "ComfyServer":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def start(self, timeout: float = 300) -> None:
        """Links the pack, starts the process and returns once it answers.

        Raises:
            ServerError: it ended, stayed silent for `timeout` seconds, or could not load the pack.
        """
        _link(self.pack, self._linked)
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "DO_NOT_TRACK": "1"} | self._environment
        # The pack's folder `nodes/` must not stand before ComfyUI's module `nodes`.
        environment.pop("PYTHONPATH", None)
        environment.pop("PYTHONSAFEPATH", None)
        # Some packs load nothing where they believe to be imported by a test.
        environment.pop("PYTEST_CURRENT_TEST", None)
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.host, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + timeout
        while not self._answers():
            self._check_alive()
            if time.monotonic() > deadline:
                raise ServerError(f"ComfyUI did not answer within {timeout:.0f} s.\n{self.log_tail()}")
            time.sleep(0.2)
        if re.search(rf"(Cannot import|comfy_entrypoint in) {re.escape(str(self._linked))}", self.log()):
            raise ServerError(f"ComfyUI could not load the pack.\n{self.log_tail()}")

    def stop(self) -> None:
        """Ends the process, by force after ten seconds, and removes the base directory."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        with contextlib.suppress(OSError):
            # A link or junction goes first and alone, so that nothing can follow it into the pack.
            (self._linked.rmdir if os.name == "nt" else self._linked.unlink)()
        shutil.rmtree(self.base, ignore_errors=True)

    def log(self) -> str:
        """All that the process has written so far."""
        return self._log.read_text("utf-8", errors="replace") if self._log.exists() else ""

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the log."""
        return "\n".join(self.log().splitlines()[-lines:])

    def get(self, path: str) -> bytes:
        """GET a path below the server's address; ServerError with the server's answer where it refuses."""
        return self._request(urllib.request.Request(self.url + path))

    def post(self, path: str, body: object) -> bytes:
        """POST `body` as JSON; ServerError with the server's answer where it refuses."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        return self._request(request)

    def object_info(self, node: str = "") -> dict:
        """The schema of every node, or of one (empty where the server has no such node)."""
        path = f"/object_info/{urllib.parse.quote(node)}" if node else "/object_info"
        return json.loads(self.get(path))

    def post_prompt(self, workflow: dict, client_id: str = "") -> str:
        """Queues a workflow in API format and returns its prompt id.

        Raises:
            ServerError: the server finds the workflow invalid; every complaint is listed with its node.
        """
        body = {"prompt": workflow} | ({"client_id": client_id} if client_id else {})
        return json.loads(self.post("/prompt", body))["prompt_id"]

    def history(self, prompt_id: str) -> dict | None:
        """The history entry of a finished prompt, None before it has finished."""
        return json.loads(self.get(f"/history/{prompt_id}")).get(prompt_id)

    def run(self, workflow: dict, timeout: float = 600, on_progress: Progress | None = None) -> dict:
        """Queues a workflow in API format, waits for its end and returns its history entry.

        Raises:
            ServerError: it was refused or failed (with node id and message), or took longer than `timeout` seconds.
        """
        client_id = uuid.uuid4().hex
        with self._listening(client_id, on_progress):
            prompt_id = self.post_prompt(workflow, client_id)
            deadline = time.monotonic() + timeout
            while not (entry := self.history(prompt_id)):
                self._check_alive()
                if time.monotonic() > deadline:
                    self.post("/interrupt", {})
                    raise ServerError(f"The workflow was not done after {timeout:.0f} s.\n{self.log_tail()}")
                time.sleep(0.1)
        if entry["status"]["status_str"] != "success":
            raise _failure(entry)
        return entry

    @staticmethod
    def images(entry: dict, kind: str = "output") -> list[dict]:
        """The images of a history entry, for `view(**image)`: the saved ones ("output") or the previews ("temp")."""
        records = [image for output in entry["outputs"].values() for image in output.get("images", [])]
        return [record for record in records if record["type"] == kind]

    def view(self, filename: str, subfolder: str = "", type: str = "output") -> bytes:
        """The bytes of one image on the server."""
        query = urllib.parse.urlencode({"filename": filename, "subfolder": subfolder, "type": type})
        return self.get(f"/view?{query}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/system_stats", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _check_alive(self) -> None:
        if self._process is None or self._process.poll() is not None:
            code = None if self._process is None else self._process.returncode
            raise ServerError(f"ComfyUI ended with code {code}.\n{self.log_tail()}")

    def _request(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as refusal:
            raise ServerError(_refusal(refusal.code, refusal.read())) from None

    @contextlib.contextmanager
    def _listening(self, client_id: str, on_progress: Progress | None):
        if on_progress is None:
            yield
            return
        websocket = WebSocket(self.address, self.port, f"/ws?clientId={client_id}")
        listener = threading.Thread(target=_report, args=(websocket, on_progress), daemon=True)
        listener.start()
        try:
            yield
        finally:
            websocket.close()
            listener.join(5)


def _report(websocket: WebSocket, on_progress: Progress) -> None:
    for text in websocket.messages():
        message = json.loads(text)
        data = message.get("data", {})
        if message.get("type") == "executing" and data.get("node"):
            on_progress(data["node"], 0, 1)
        elif message.get("type") == "progress" and data.get("node"):
            on_progress(data["node"], data["value"], data["max"])


def _refusal(code: int, body: bytes) -> str:
    """What the server says when it turns a request down: for a workflow, every complaint with its node."""
    try:
        answer = json.loads(body)
        lines = [f"{answer['error']['message']} {answer['error'].get('details', '')}".strip()]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {code}: {body.decode(errors='replace')}"
    for node, problems in answer.get("node_errors", {}).items():
        lines += [
            f"node {node} ({problems.get('class_type')}): {error['message']}: {error.get('details', '')}"
            for error in problems.get("errors", [])
        ]
    return "\n".join(lines)


def _failure(entry: dict) -> ServerError:
    for name, data in entry["status"]["messages"]:
        if name == "execution_error":
            where = f"node {data['node_id']} ({data['node_type']})"
            what = f"{data['exception_type']}: {data['exception_message'].strip()}"
            return ServerError(f"{where}: {what}", "".join(data.get("traceback", [])))
    return ServerError(f"The workflow ended as '{entry['status']['status_str']}'.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _link(pack: Path, link: Path) -> None:
    """Makes the pack appear at `link`: a symlink, on Windows a junction (needs no rights), else a copy."""
    try:
        if os.name == "nt":
            import _winapi

            _winapi.CreateJunction(str(pack), str(link))
        else:
            link.symlink_to(pack, target_is_directory=True)
    except (OSError, ImportError):
        skipped = shutil.ignore_patterns(".git", ".venv", ".comfyui", "node_modules", "out", "__pycache__")
        shutil.copytree(pack, link, ignore=skipped)
