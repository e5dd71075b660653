"""Listening to a server's websocket: the part of RFC 6455 that takes, and nothing more."""

import base64
import contextlib
import os
import socket
import struct
from collections.abc import Iterator

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class WebSocket:
    """A connection whose text messages can be read one after the other."""

    def __init__(self, host: str, port: int, path: str):
        """Connects and shakes hands; ConnectionError where the other side speaks no websocket."""
        self._socket = socket.create_connection((host, port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(request.encode())
        self._stream = self._socket.makefile("rb")
        status = self._stream.readline()
        if b" 101 " not in status:
            raise ConnectionError(f"{host}:{port}{path} answered {status!r} to a websocket handshake")
        while self._stream.readline().strip():
            pass
        self._socket.settimeout(None)

    def messages(self) -> Iterator[str]:
        """Text messages until the other side, or `close`, ends the connection. Binary ones are passed over."""
        kind, parts = TEXT, []
        while frame := self._frame():
            final, opcode, payload = frame
            if opcode == CLOSE:
                return
            if opcode == PING:
                self._send(PONG, payload)
            if opcode >= CLOSE:
                continue
            kind = opcode or kind
            parts.append(payload)
            if final:
                if kind == TEXT:
                    yield b"".join(parts).decode()
                parts = []

    def close(self) -> None:
        """Ends the connection; a reader in another thread stops."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _frame(self) -> tuple[bool, int, bytes] | None:
        try:
            first, second = self._exactly(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", self._exactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._exactly(8))
            return bool(first & 0x80), first & 0x0F, self._exactly(length)
        except (EOFError, OSError, ValueError):
            return None

    def _exactly(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def _send(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self._socket.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked)
