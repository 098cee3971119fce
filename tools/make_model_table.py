#!/usr/bin/env python3
"""Writes src/chat/model_table.inc, what is known of the models of the preset providers.

    pip download --no-deps litellm==1.109.1 && tools/make_model_table.py litellm-1.109.1-*.whl

Context sizes and prices are facts that LiteLLM (MIT) collects; only its chat models of the
providers below are taken, without fine-tunings, audio and image models.
"""
import json
import pathlib
import sys
import zipfile

SOURCE = "litellm/model_prices_and_context_window_backup.json"
TARGET = pathlib.Path(__file__).resolve().parent.parent / "src" / "chat" / "model_table.inc"
PROVIDERS = ["anthropic", "dashscope", "deepseek", "gemini", "groq", "mistral", "moonshot",
             "openai"]
LEFT_OUT = ("ft:", "audio", "realtime", "image", "tts", "search", "live", "-exp", "transcribe")


def rows(models):
    for name, model in models.items():
        provider = model.get("litellm_provider")
        if provider not in PROVIDERS or model.get("mode") != "chat":
            continue
        name = name.removeprefix(provider + "/")
        tokens = model.get("max_input_tokens") or 0
        prices = [model.get(f"{kind}_cost_per_token") for kind in ("input", "output")]
        if tokens and None not in prices and not any(word in name for word in LEFT_OUT):
            yield provider, name, int(tokens), prices[0] * 1e6, prices[1] * 1e6


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    wheel = pathlib.Path(sys.argv[1])
    version = "-".join(wheel.name.split("-")[:2])
    with zipfile.ZipFile(wheel) as archive:
        models = json.loads(archive.read(SOURCE))
    table = {row[:2]: row for row in rows(models)}
    with open(TARGET, "w") as out:
        out.write(f"/* Facts from {version} (MIT), by\n"
                  f" *     tools/make_model_table.py {wheel.name}\n"
                  " * provider, model, tokens of context, US dollars for a million tokens in and "
                  "out. */\n")
        for provider, name, tokens, price_in, price_out in sorted(table.values()):
            out.write(f'{{"{provider}", "{name}", {tokens}, {price_in:.6g}, {price_out:.6g}}},\n')


if __name__ == "__main__":
    main()
