/* commands.c - the list of commands, in the order of the help. */
#include "cli.h"

const struct command *const commands[] = {
    &index_command,    &watch_command,  &reindex_command, &search_command, &show_command,
    &open_command,     &ask_command,    &chat_command,    &llm_command,    &chunk_command,
    &tokenize_command, &embed_command,  &rerank_command,  &model_command,  &info_command,
    &verify_command,   &repair_command, &compact_command, &remove_command, &eval_command,
};

const size_t command_count = sizeof commands / sizeof *commands;
