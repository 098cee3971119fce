/* rag llm: who can be asked, and whether it answers. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static rag_status list_providers(const struct settings *settings, rag_error *error)
{
    rag_provider_list *list;
    rag_status status = rag_provider_list_open(NULL, &list, error);
    if (status)
        return status;
    if (!settings->json)
        printf("%-13s %-10s %-6s %-26s %s\n", "PROVIDER", "PROTOCOL", "READY", "DEFAULT MODEL",
               "ADDRESS (KEY)");
    for (size_t i = 0; !status && i < rag_provider_list_count(list); i++) {
        const rag_provider *provider = rag_provider_list_get(list, i);
        if (settings->json)
            status =
                print_json(json_pack("{s:o, s:s, s:b, s:o, s:o, s:o, s:o}", "provider",
                                     json_string_of(provider->name), "protocol",
                                     provider->protocol, "ready", provider->ready,
                                     "default_model", json_string_of(provider->default_model),
                                     "base_url", json_string_of(provider->base_url),
                                     "key_variable", json_string_of(provider->key_variable),
                                     "url_variable", json_string_of(provider->url_variable)),
                           error);
        else
            printf("%-13s %-10s %-6s %-26s %s%s%s%s\n", provider->name, provider->protocol,
                   provider->ready ? "yes" : "no", provider->default_model, provider->base_url,
                   *provider->key_variable ? " (" : "", provider->key_variable,
                   *provider->key_variable ? ")" : "");
    }
    rag_provider_list_free(list);
    return status;
}

static rag_status test_model(const struct settings *settings, rag_error *error)
{
    static const rag_message message = {RAG_USER, {"Say hello in one short sentence.", 32}};
    struct progress progress;
    rag_chat *chat;
    char *reply = NULL;
    progress_start(&progress, settings);
    rag_status status = rag_chat_open(settings->arguments[1], NULL, &chat, error);
    if (status)
        return status;
    struct answer_printer printer = {.progress = &progress};
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.max_tokens = 256;
    options.on_text = settings->json ? NULL : answer_print_piece;
    options.on_event = answer_ask_whether_to_stop;
    options.user = &printer;
    status = rag_chat_complete(chat, &message, 1, &options, &reply, error);
    progress_finish(&progress);
    rag_usage usage;
    rag_chat_get_usage(chat, &usage, NULL);
    const rag_chat_info *info = rag_chat_get_info(chat);
    if (!status && settings->json) {
        status = print_json(json_pack("{s:o, s:o, s:o, s:I, s:s, s:o}", "provider",
                                      json_string_of(info->provider), "model",
                                      json_string_of(info->model), "host",
                                      json_string_of(info->host), "context_tokens",
                                      (json_int_t)info->context_tokens, "reply", reply, "usage",
                                      json_of_usage(&usage)),
                            error);
    } else if (!status) {
        printf("\n%s:%s at %s: ", info->provider, info->model, info->host);
        if (!isnan(usage.first_token_seconds))
            printf("first token after %.2f s, ", usage.first_token_seconds);
        print_usage(&usage);
    }
    rag_free(reply);
    rag_chat_close(chat);
    return status;
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    const char *action = settings->arguments[0];
    bool test = strcmp(action, "test") == 0;
    if (test ? settings->argument_count == 2
             : strcmp(action, "list") == 0 && settings->argument_count == 1)
        return test ? test_model(settings, error) : list_providers(settings, error);
    error->status = RAG_USAGE;
    snprintf(error->message, sizeof error->message,
             "give \"list\" or \"test PROVIDER:MODEL\"; see rag llm --help");
    return RAG_USAGE;
}

const struct command llm_command = {
    .name = "llm",
    .arguments = "list | test P:M",
    .summary = "Show the providers of language models, or try one",
    .options = "json quiet",
    .help = "list: each provider with its protocol, address, default model and the variable\n"
            "that holds its key; keys are never shown. A file of providers adds others.\n\n"
            "test: sends one short message and shows the reply, the time to the first token,\n"
            "the tokens and, where the price is known, the cost.\n\n"
            "examples:\n"
            "  rag llm list\n"
            "  rag llm test gemini:gemini-2.5-flash\n"
            "  rag llm test ollama:qwen3\n",
    .min_arguments = 1,
    .max_arguments = 2,
    .run = run,
};
