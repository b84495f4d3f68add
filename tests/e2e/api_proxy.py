"""A proxy before an API server that fails on purpose. Its clients' credentials are not passed on: it uses the admin's."""

import http.client
import http.server
import json
import select
import socket
import ssl
import threading

from harness import Certificate


class ApiProxy:
    """`rule(method, path, headers)` gives None to pass a request on, or an action:

    ("status", code, headers, document)   answers so
    ("cut", n)                            passes n bytes of the answer on (of a WebSocket: behind its headers) and drops the connection
    ("hang",)                             answers nothing until the proxy ends
    """

    def __init__(self, cluster, directory):
        self.rule = lambda method, path, headers: None
        self.seen = []
        self.ended = threading.Event()
        pki = cluster.kubeconfig.parent
        upstream = ssl.create_default_context(cafile=pki / "ca.crt")
        upstream.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self.certificate = Certificate(directory, name="proxy")
        proxy, server = self, cluster.server.removeprefix("https://")

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                proxy.seen.append((self.command, self.path))
                action = proxy.rule(self.command, self.path, self.headers)
                if action and action[0] == "hang":
                    proxy.ended.wait()
                    self.close_connection = True
                elif action and action[0] == "status":
                    self.respond(action[1], action[2], json.dumps(action[3]).encode())
                else:
                    self.pass_on(body, action[1] if action else None)

            def respond(self, status, headers, content, limit=None):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[:limit])
                if limit is not None:
                    self.close_connection = True

            def pass_on(self, body, limit):
                if self.headers.get("Upgrade"):
                    return self.tunnel(limit)
                connection = http.client.HTTPSConnection(server, context=upstream, timeout=120)
                try:
                    kept = {k: v for k, v in self.headers.items() if k.lower() in ("accept", "content-type")}
                    connection.request(self.command, self.path, body or None, kept)
                    answer = connection.getresponse()
                    if "watch=true" in self.path and limit is None:
                        self.stream(answer)
                    else:
                        self.respond(answer.status, {"Content-Type": answer.headers.get("Content-Type", "")}, answer.read(), limit)
                finally:
                    connection.close()

            def tunnel(self, limit):
                self.close_connection = True
                host, port = server.split(":")
                with socket.create_connection((host, int(port))) as plain, upstream.wrap_socket(plain, server_hostname=host) as up:
                    kept = [f"{k}: {v}" for k, v in self.headers.items() if k.lower() in ("upgrade", "connection") or k.lower().startswith("sec-websocket")]
                    up.sendall("\r\n".join([f"{self.command} {self.path} HTTP/1.1", f"Host: {server}", *kept, "", ""]).encode())
                    answered = b""
                    while b"\r\n\r\n" not in answered:
                        answered += up.recv(1) or b"\r\n\r\n"
                    self.connection.sendall(answered)
                    self.relay(up, limit)

            def relay(self, up, limit):
                while True:
                    ready = [up] if up.pending() else select.select([up, self.connection], [], [])[0]
                    for side, other in ((up, self.connection), (self.connection, up)):
                        if side not in ready:
                            continue
                        piece = side.recv(65536)
                        if side is up and limit is not None:
                            piece, limit = piece[:limit], limit - len(piece)
                        other.sendall(piece)
                        if not piece or (limit is not None and limit <= 0):
                            return

            def stream(self, answer):
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
                self.end_headers()
                self.close_connection = True
                while piece := answer.read1():
                    self.wfile.write(piece)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.certificate, self.certificate.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.handle_error = lambda *_: None  # clients that go away
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kubeconfig(self, path, user):
        path.write_text(json.dumps({
            "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": str(self.certificate.certificate)}}],
            "users": [{"name": "u", "user": user}]}))
        return path

    def stop_listening(self):
        self.server.shutdown()
        self.server.server_close()

    def close(self):
        self.ended.set()
        self.stop_listening()
