"""A server that answers like an OpenAI-compatible chat API, for tests of what asks one."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer(ThreadingHTTPServer):
    """Replies to the last message with `reply(text, number of the request from 1)`; remembers the requests.

    `status` is what it answers with; 299 stands for a body that is no chat completion.
    """

    def __init__(self, reply: Callable[[str, int], str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply, self.requests, self.status = reply, [], 200
        self.address = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, ChatServer)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.requests.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
        text = server.reply(body["messages"][-1]["content"], len(server.requests))
        reply = {"choices": [{"message": {"role": "assistant", "content": text}}]}
        data = json.dumps(reply if server.status != 299 else {"odd": 1}).encode()
        self.send_response(200 if server.status == 299 else server.status)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass
