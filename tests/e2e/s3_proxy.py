"""A proxy before an S3 endpoint that fails on purpose. Requests keep their signatures: what is passed on is what was sent."""

import http.client
import http.server
import ssl
import threading

from harness import Certificate


class S3Proxy:
    """`rule(method, path)` gives None to pass a request on, or an action:

    ("status", code, error_code)   answers so, with S3's error document
    ("drop",)                      passes nothing on and drops the connection
    ("lose",)                      passes it on and drops the connection instead of answering
    ("bend",)                      passes it on with another byte in the middle of its body
    ("cut", n)                     passes n bytes of the answer's body on and drops the connection
    """

    def __init__(self, endpoint, directory):
        self.rule = lambda method, path: None
        self.seen = []
        self.certificate = Certificate(directory, name="s3proxy")
        proxy, server = self, endpoint.removeprefix("http://")

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                proxy.seen.append((self.command, self.path))
                action = proxy.rule(self.command, self.path) or ("pass",)
                if action[0] == "drop":
                    self.close_connection = True
                    self.connection.close()
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if action[0] == "status":
                    self.respond(action[1], [], f"<Error><Code>{action[2]}</Code><Message>on purpose</Message></Error>".encode())
                    return
                if action[0] == "bend":
                    body = body[:len(body) // 2] + bytes([body[len(body) // 2] ^ 1]) + body[len(body) // 2 + 1:]
                connection = http.client.HTTPConnection(server, timeout=60)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body or None)
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                if action[0] == "lose":
                    self.close_connection = True
                    self.connection.close()
                    return
                self.respond(answer.status, answer.getheaders(), content, action[1] if action[0] == "cut" else None)

            def respond(self, status, headers, content, limit=None):
                self.send_response_only(status)
                named = {name.lower() for name, _ in headers}
                for name, value in headers:
                    if name.lower() not in ("transfer-encoding", "connection"):
                        self.send_header(name, value)
                if "content-length" not in named:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content[:limit])
                if limit is not None:
                    self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.certificate, self.certificate.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
