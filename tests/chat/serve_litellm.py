#!/usr/bin/env python3
"""LLM_PORT KEY LOG: LiteLLM's proxy in front of serve_llm.py's server, for test_litellm.py.

Needs a Python with litellm and what its proxy imports (tools/models/litellm.txt). Listens on
127.0.0.1, asks no other host, prints its port when it can be asked, writes a line for each
request to LOG, and ends when its standard input does.
"""
import asyncio
import json
import logging
import os
import socket
import sys
import tempfile
import threading

LLM_PORT, KEY, LOG = sys.argv[1:]
# The proxy greets on standard output, which is for the port.
told = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
# Prices of models come with the package; nothing is to be fetched at the start.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
CONFIG = {
    "model_list": [{
        "model_name": "local",
        "litellm_params": {"model": "openai/local", "api_key": "none",
                           "api_base": f"http://127.0.0.1:{LLM_PORT}/v1"},
    }],
    "general_settings": {"master_key": KEY},
    "litellm_settings": {"telemetry": False},
}

with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
    json.dump(CONFIG, file)  # JSON is YAML
os.environ["CONFIG_FILE_PATH"] = file.name

import uvicorn
from litellm.proxy.proxy_server import app


async def serve():
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=True))
    log = logging.getLogger("uvicorn.access")
    log.setLevel(logging.INFO)
    log.addHandler(logging.FileHandler(LOG))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not running.done():
        await asyncio.sleep(0.05)
    os.unlink(file.name)
    if server.started:
        print(listener.getsockname()[1], file=told, flush=True)
        await asyncio.Event().wait()


def end_with_input():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_input, daemon=True).start()
asyncio.run(serve())
