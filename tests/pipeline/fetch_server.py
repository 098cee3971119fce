#!/usr/bin/env python3
"""A server on 127.0.0.1 and 127.0.0.2 (the same port) for test_fetch: prints the port, ends with its input."""
import http.server
import sys
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/page":
            self.answer(200, b"<!doctype html><title>T</title><p>From " + self.server.server_address[0].encode())
        elif url.path == "/to":
            self.answer(302, Location=urllib.parse.unquote(url.query))
        elif url.path == "/loop":
            self.answer(302, Location="/loop")
        elif url.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * (1 << 20))
            except OSError:
                pass
        else:
            self.answer(404, b"no")


def main():
    first = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port = first.server_address[1]
    for server in (first, http.server.ThreadingHTTPServer(("127.0.0.2", port), Handler)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(port, flush=True)
    sys.stdin.read()


main()
