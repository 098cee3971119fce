/* provider_file.h - the user's file of providers, which adds to the presets and changes them.
 *
 * It is JSON:
 *
 *   {"providers": {"NAME": {
 *      "protocol": "openai" | "gemini" | "anthropic" | "ollama",
 *      "base_url": "https://...", "url_variable": "...", "key_variable": "...",
 *      "model": "the default one",
 *      "context_tokens": N, "input_price": USD, "output_price": USD,
 *      "models": {"MODEL": {"context_tokens": N, "input_price": ..., "output_price": ...}}}}}
 *
 * NAME may be a preset, whose fields are then changed, or a new one, which needs protocol and
 * base_url. Prices are US dollars for a million tokens. A key does not belong in it: anything
 * that is not one of these fields is refused, and no value is repeated in a message.
 * docs/providers.md is its manual. */
#ifndef RAG_CHAT_PROVIDER_FILE_H
#define RAG_CHAT_PROVIDER_FILE_H

#include "chat/provider_set.h"

/* RAG_INPUT: what is wrong with it, and where. */
CHECKED rag_status provider_file_read(const char *path, struct provider_set *set,
                                      rag_error *error);

/* The file's word on a model of this provider, where it has one. */
struct model_facts provider_facts(const struct provider *provider, const char *model);

#endif
