/* rag llm: who can be asked, and whether it answers. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The address, unless it holds what is nobody's business. */
static const char *shown_address(const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    if (host[strcspn(host, "/@")] == '@' || strpbrk(host, "?#"))
        return "(not shown: it has a user name, a query or a fragment)";
    return url;
}

static bool key_is_set(const rag_provider *provider)
{
    const char *key = *provider->key_variable ? getenv(provider->key_variable) : NULL;
    return key && key[strspn(key, " \t\r\n")];
}

static rag_status print_provider_json(const rag_provider *provider, rag_error *error)
{
    return print_json(json_pack("{s:o, s:s, s:b, s:b, s:o, s:o, s:o, s:o}", "provider",
                                json_string_of(provider->name), "protocol", provider->protocol,
                                "ready", provider->ready, "key_set", key_is_set(provider),
                                "default_model", json_string_of(provider->default_model),
                                "base_url", json_string_of(shown_address(provider->base_url)),
                                "key_variable", json_string_of(provider->key_variable),
                                "url_variable", json_string_of(provider->url_variable)),
                      error);
}

/* In a column of this width, and a space. */
static void print_cell(const char *text, size_t width)
{
    size_t size = strlen(text);
    print_safely(stdout, (rag_text){text, size}, " ");
    printf("%*s", size < width ? (int)(width - size) + 1 : 1, "");
}

static void print_provider(const rag_provider *provider)
{
    print_cell(provider->name, 13);
    print_cell(provider->protocol, 10);
    print_cell(provider->ready ? "yes" : "no", 6);
    print_cell(provider->default_model, 26);
    const char *address = shown_address(provider->base_url);
    print_safely(stdout, (rag_text){address, strlen(address)}, " ");
    if (*provider->key_variable) {
        fputs(" (", stdout);
        print_safely(stdout, (rag_text){provider->key_variable, strlen(provider->key_variable)},
                     " ");
        fputs(key_is_set(provider) ? ", set)" : ", not set)", stdout);
    }
    putchar('\n');
}

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
            status = print_provider_json(provider, error);
        else
            print_provider(provider);
    }
    rag_provider_list_free(list);
    return status;
}

static rag_status print_test_json(const rag_chat_info *info, const rag_usage *usage,
                                  const char *reply, rag_error *error)
{
    return print_json(json_pack("{s:o, s:o, s:o, s:I, s:o, s:o}", "provider",
                                json_string_of(info->provider), "model",
                                json_string_of(info->model), "host", json_string_of(info->host),
                                "context_tokens", (json_int_t)info->context_tokens, "reply",
                                json_string_of(reply), "usage", json_of_usage(usage)),
                      error);
}

static void print_test(const rag_chat_info *info, const rag_usage *usage)
{
    const char *const parts[] = {info->provider, ":", info->model, " at ", info->host, ": "};
    putchar('\n');
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        print_safely(stdout, (rag_text){parts[i], strlen(parts[i])}, " ");
    if (!isnan(usage->first_token_seconds))
        printf("first token after %.2f s, ", usage->first_token_seconds);
    print_usage(usage);
}

/* Streamed, for the time of the first token, but shown when it is whole. */
static int take_piece(rag_text piece, void *user)
{
    (void)piece;
    (void)user;
    return 0;
}

static rag_status test_model(const struct settings *settings, rag_error *error)
{
    static const rag_message message = {RAG_USER, {"Say hello in one short sentence.", 32}};
    rag_chat *chat;
    char *reply = NULL;
    rag_usage usage;
    rag_status status = rag_chat_open(settings->arguments[1], NULL, &chat, error);
    if (status)
        return status;
    struct answer_printer printer = {0};
    progress_start(&printer.progress, settings);
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.max_tokens = 256;
    options.on_text = settings->json ? take_piece : answer_print_piece;
    options.on_event = answer_ask_whether_to_stop;
    options.user = &printer;
    status = rag_chat_complete(chat, &message, 1, &options, &reply, error);
    progress_finish(&printer.progress);
    rag_chat_get_usage(chat, &usage, NULL);
    if (!status && settings->json)
        status = print_test_json(rag_chat_get_info(chat), &usage, reply, error);
    else if (!status)
        print_test(rag_chat_get_info(chat), &usage);
    else if (printer.started)
        putchar('\n');
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
            "that holds its key, and whether that is set; keys are never shown. A file of "
            "providers adds others.\n\n"
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
