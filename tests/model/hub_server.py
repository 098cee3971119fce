#!/usr/bin/env python3
"""A hub of models for tests: hub_server.py FOLDER

Serves FOLDER/ORGANISATION/NAME/* the way the public hub does: the listing of a model's files
with sizes and SHA-256 sums, and each file below /resolve/, where large ones redirect to
another origin (here: another port). It prints the port and ends with its standard input.

The hub's address is http://127.0.0.1:PORT/MODE; MODE says how it behaves:

  plain        as it should
  resume       large files only to those who ask for the rest of one
  cut          large files break off in the middle of what is asked for
  dead         large files break off in the middle; the rest never comes
  slow         large files pause in the middle
  norange      Range is ignored, the whole file comes
  badrange     another part than asked for
  damaged      one byte of a large file is changed
  larger       the listing gives large files a byte more than they have
  smaller      ... a byte less
  nohash       no SHA-256 anywhere
  headerhash   SHA-256 in the answer's header only, and a wrong one
  busy         the first answer to each request is 503
  limit        429
  private      only for "Authorization: Bearer secret"
  missing      404
  loop         redirects without end
  scheme       redirects to a file: URL
  hostile      the listing also has names that lead elsewhere
  unsupported  config.json is of another kind of model, and there are no weights to ask for
  garbage      the listing is no JSON

The other origin refuses every request that brings a token.
"""
import hashlib
import http.server
import json
import pathlib
import re
import sys
import threading
import time

ROOT = pathlib.Path(sys.argv[1])
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 512
seen = set()


def large(path):
    return path.stat().st_size > LARGE


def listing(mode, model):
    siblings = []
    for path in sorted(p for p in model.rglob("*") if p.is_file()):
        data = path.read_bytes()
        size = len(data) + {"larger": 1, "smaller": -1}.get(mode, 0) * large(path)
        entry = {"rfilename": str(path.relative_to(model)), "size": size}
        if large(path) and mode not in ("nohash", "headerhash"):
            entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": size,
                            "pointerSize": 130}
        siblings.append(entry)
    if mode == "hostile":
        for name in ("../../../evil.json", "/tmp/evil.json", "model-/../../x.safetensors",
                     "..//1_Pooling/config.json", "../_Pooling/config.json", 7, None):
            siblings.append({"rfilename": name, "size": 1})
    return json.dumps({"sha": COMMIT, "siblings": siblings}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # headers and body in one packet, not 40 ms apart

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, target, **headers):
        self.answer(302, b"moved", Location=target, **headers)


class Hub(Handler):
    def do_GET(self):
        mode, _, rest = self.path.partition("?")[0].lstrip("/").partition("/")
        if mode == "missing":
            return self.answer(404, b"{}")
        if mode == "limit":
            return self.answer(429, b"slow down")
        if mode == "private" and self.headers["Authorization"] != "Bearer secret":
            return self.answer(401, b"Invalid credentials")
        if mode == "busy" and self.path not in seen:
            seen.add(self.path)
            return self.answer(503, b"busy")
        if match := re.fullmatch(r"api/models/(.+)/revision/main", rest):
            model = ROOT / match[1]
            if not model.is_dir():
                return self.answer(404, b"{}")
            if "blobs=true" not in self.path:
                return self.answer(400, b"no blobs asked for")
            body = b"<html>" if mode == "garbage" else listing(mode, model)
            return self.answer(200, body)
        if match := re.fullmatch(rf"(.+)/resolve/{COMMIT}/(.+)", rest):
            return self.resolve(mode, match[1], match[2])
        return self.answer(404, b"{}")

    def resolve(self, mode, model, name):
        path = ROOT / model / name
        if ".." in name or not path.is_file():
            return self.answer(404, b"{}")
        if mode == "unsupported":
            if large(path):
                return self.answer(400, b"too early")
            if name == "config.json":
                return self.answer(200, b'{"model_type": "llama"}'.ljust(path.stat().st_size))
        if not large(path):
            return self.answer(200, path.read_bytes())
        if mode == "loop":
            return self.redirect(self.path)
        if mode == "scheme":
            return self.redirect("file:///etc/hostname")
        headers = {}
        if mode == "headerhash":
            headers["X_Linked_ETag"] = '"' + "0" * 64 + '"'
        port = cdn.server_address[1]
        return self.redirect(f"http://127.0.0.1:{port}/{mode}/{model}/{name}", **headers)


class Cdn(Handler):
    def do_GET(self):
        mode, _, rest = self.path.lstrip("/").partition("/")
        if self.headers["Authorization"]:
            return self.answer(400, b"a token for another origin")
        data = (ROOT / rest).read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        begin = int(asked[1]) if asked else 0
        if mode == "resume" and not asked:
            return self.answer(400, b"the beginning should be there")
        if mode == "damaged":
            data = data[:-1] + bytes([data[-1] ^ 1])
        if mode == "norange":
            begin = 0
        if begin >= len(data):
            return self.answer(416)
        self.send_response(206 if begin else 200)
        if begin:
            shown = begin + (mode == "badrange")
            self.send_header("Content-Range", f"bytes {shown}-{len(data) - 1}/{len(data)}")
        rest = data[begin:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.send_body(mode, rest, begin)

    def send_body(self, mode, rest, begin):
        half = (len(rest) + 1) // 2
        if (mode == "cut" and len(rest) > 100) or mode == "dead":
            self.wfile.write(rest[:0 if begin else half] if mode == "dead" else rest[:half])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(rest[:half])
        self.wfile.flush()
        if mode == "slow":
            time.sleep(1)
        self.wfile.write(rest[half:])


cdn = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cdn)
hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
for server in (cdn, hub):
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(hub.server_address[1], flush=True)
sys.stdin.read()
