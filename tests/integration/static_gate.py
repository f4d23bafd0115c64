"""A stand-in for the auditors' gate that serves a folder, and that a test can make misbehave."""

import http.server
import os
import ssl
import threading

import certificates


def make_certificates(folder):
    """folder/ca.pem, gate.pem/.key for 127.0.0.1, collector.pem/.key, expired.pem/.key; stranger.pem/.key
    of another CA."""
    for ca, names in (("ca", ("gate", "collector", "expired")), ("other-ca", ("stranger",))):
        base = os.path.join(folder, ca)
        certificates.new_key(f"{base}.key")
        certificates.openssl("req", "-x509", "-new", "-key", f"{base}.key", "-subj", f"/CN={ca}",
                             "-days", "2", "-out", f"{base}.pem")
        for name in names:
            path = os.path.join(folder, name)
            certificates.new_key(f"{path}.key")
            certificates.openssl("req", "-new", "-key", f"{path}.key", "-subj", f"/CN={name}",
                                 "-addext", "subjectAltName=IP:127.0.0.1", "-out", f"{path}.csr")
            certificates.openssl("x509", "-req", "-in", f"{path}.csr", "-CA", f"{base}.pem", "-CAkey",
                                 f"{base}.key", "-copy_extensions", "copy", "-days", "-1" if name == "expired" else "2",
                                 "-out", f"{path}.pem")


class StaticGate:
    """Serves `log` below /v1/audit/ over mutual TLS. `misbehave` is asked at each request, with its path
    and how many there were: it returns None, or (status, headers, bytes) to answer instead, or "hang up"
    or "cut" (half of the body)."""

    def __init__(self, folder, log):
        self.log, self.requests, self.misbehave = log, 0, lambda path, number: None
        gate = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one write
            disable_nagle_algorithm = True

            def do_GET(self):
                gate.requests += 1
                path = self.path.removeprefix("/v1/audit/")
                what = gate.misbehave(path, gate.requests)
                if what == "hang up":
                    self.close_connection = True
                    return
                status, headers, body = what if isinstance(what, tuple) else gate.file(path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if what == "cut":
                    body, self.close_connection = body[:len(body) // 2], True
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(os.path.join(folder, "gate.pem"), os.path.join(folder, "gate.key"))
        context.load_verify_locations(os.path.join(folder, "ca.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"

    def file(self, path):
        try:
            with open(os.path.join(self.log, path), "rb") as file:
                return 200, {}, file.read()
        except OSError:
            return 404, {}, b"{}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
