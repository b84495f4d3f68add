"""What webhooks are told to: keeps every request, and answers as it is asked to."""

import http.server
import json
import threading


class Receiver:
    def __init__(self):
        self.got = []       # {"path", "headers" in lower case, "text", "body"}
        self.statuses = []  # of the next answers; then 200
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers["content-length"])).decode()
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                receiver.got.append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "text": text, "body": json.loads(text)})
                self.send_response(status)
                if status == 302:
                    self.send_header("location", receiver.url + "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
