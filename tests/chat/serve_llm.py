#!/usr/bin/env python3
"""MODEL.gguf: an OpenAI-compatible server of a real language model, for test_llm.

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
params.n_ctx = 2048
params.n_parallel = 1
params.hostnames = ["127.0.0.1"]
params.port = free_port()
# The tests may share the machine with others.
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address.rsplit(":", 1)[1].strip("/"), flush=True)
sys.stdin.read()
os._exit(0)
