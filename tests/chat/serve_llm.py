#!/usr/bin/env python3
"""MODEL.gguf [CONTEXT]: an OpenAI-compatible server of a real language model, for test_llm and the
tests of notebooks. CONTEXT: how many tokens it takes (2048).

Needs a Python with xllamacpp (llama.cpp's server as a module). Listens on 127.0.0.1,
prints its port, and ends when its standard input does.
"""

import os
import socket
import sys

import xllamacpp


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = int(sys.argv[2]) if len(sys.argv) > 2 else 2048
params.n_parallel = 1
params.hostnames = ["127.0.0.1"]
params.port = free_port()
# The tests may share the machine with others.
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address.rsplit(":", 1)[1].strip("/"), flush=True)
sys.stdin.read()
os._exit(0)
