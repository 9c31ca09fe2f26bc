"""Loopback servers that alerts are sent to in tests: one of HTTP, one of SMTP. Both remember what they got."""

import json
import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class HttpReceiver:
    """Takes JSON by POST and answers with `status`; `got` holds path and body of each."""

    def __init__(self, status: int = 200) -> None:
        self.got: list[tuple[str, Any]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((self.path, json.loads(body)))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "HttpReceiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class SmtpReceiver:
    """Takes mail (RFC 5321, without extensions); refuses every recipient where `refuses`. `got` holds the mails."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.got: list[tuple[list[str], EmailMessage]] = []
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.say("220 ready")
                recipients: list[str] = []
                while line := self.rfile.readline():
                    word = line[:4].upper().strip()
                    if word == b"RCPT" and not refuses:
                        recipients.append(line.decode().partition(":")[2].strip().strip("<>"))
                    if word == b"DATA":
                        self.say("354 go on")
                        receiver.got.append((recipients, self.mail()))
                        recipients = []
                    self.say({b"QUIT": "221 bye", b"RCPT": "550 no" if refuses else "250 ok"}.get(word, "250 ok"))
                    if word == b"QUIT":
                        return

            def mail(self) -> EmailMessage:
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b"..") else line)
                return message_from_bytes(b"".join(lines), policy=policy.default)

            def say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "SmtpReceiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
