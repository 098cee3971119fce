#!/usr/bin/env python3
"""Makes untrusted.pem beside this file: a key and the certificate for 127.0.0.1 that it
signed itself, valid for a century. It guards nothing: a test has rag refuse it.

Made with OpenSSL 3.0.19: python3 make_certificate.py
"""

import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent

made = subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
     "-keyout", "-", "-days", "36500", "-subj", "/CN=127.0.0.1",
     "-addext", "subjectAltName=IP:127.0.0.1"],
    check=True, capture_output=True, text=True)
(HERE / "untrusted.pem").write_text(made.stdout)
