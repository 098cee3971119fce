/* wire.h - what rag and rag-reader say to each other. Both are of the same build: structs go as
 * they are, behind a mark that holds their sizes.
 *
 * rag-reader begins with a greeting. Then, for each file, rag sends a request and gets an
 * answer:
 *
 *   greeting  struct wire_greeting
 *   request   struct wire_request, name, format, bytes
 *   answer    struct wire_answer, then its parts in the order of its members
 *
 * rag believes nothing of an answer: sizes are bounded before memory is taken for them, and the
 * document is checked as a whole (document_check). */
#ifndef RAG_DOCUMENTS_WIRE_H
#define RAG_DOCUMENTS_WIRE_H

#include "documents/channel.h"
#include "documents/document.h"

enum {
    WIRE_MAX_NAME = 1 << 16,
    WIRE_MAX_FORMAT = 32,
};

/* What keeps a reader from doing harm. */
enum sandbox {
    SANDBOX_LIMITS = 1,   /* memory, processor time, size of files */
    SANDBOX_SYSCALLS = 2, /* seccomp: no network, no opening, no exec, no fork, no ptrace */
    SANDBOX_FILES = 4,    /* Landlock: no file but the system's, for programs that open some */
};

struct wire_greeting {
    uint64_t mark;
    uint32_t sandbox; /* bits of enum sandbox */
    uint32_t unused;
};

struct wire_request {
    uint64_t mark;
    uint64_t name_size, format_size, size;
    uint64_t notebook_outputs; /* of the options what a reader needs to know; 0 or 1 */
};

struct wire_answer {
    uint64_t mark;
    uint32_t status;        /* RAG_OK or why not */
    uint32_t text_is_input; /* the text is the request's bytes: it is not sent back */
    uint64_t message_size;  /* the sentence of rag_error; the rest is 0 then */
    uint64_t format_size;
    uint64_t text_size;
    uint64_t block_count, place_count, part_count;
    uint64_t names_size, metadata_size, warnings_size, part_bytes_size;
    uint64_t warning_count;
};

#define WIRE_MARK                                                                              \
    ((uint64_t)0x5241475752000002u ^ (uint64_t)sizeof(struct block) << 24 ^                    \
     (uint64_t)sizeof(struct place) << 16 ^ (uint64_t)sizeof(struct part) << 8 ^               \
     (uint64_t)sizeof(struct wire_answer))

/* format: NULL or one that is known already. */
CHECKED enum channel_result wire_send_request(const struct channel *channel, const char *name,
                                              const char *format,
                                              const struct read_options *options,
                                              const void *bytes, size_t size);

/* Receives a request's parts; the buffers are cleared first. *ok is false if it makes no
 * sense. */
CHECKED enum channel_result wire_receive_request(const struct channel *channel,
                                                 struct buf *name, struct buf *format,
                                                 struct read_options *options,
                                                 struct buf *bytes, bool *ok);

/* document: what was read, if status is RAG_OK. */
CHECKED enum channel_result wire_send_answer(const struct channel *channel, rag_status status,
                                             const char *message,
                                             const struct document *document,
                                             bool text_is_input);

/* Receives an answer to a request with these bytes into an empty document, whose path stays
 * NULL. If the text is the bytes, they are copied, or taken out of `owner` if that holds them
 * (not NULL). *status and *error say what the reader said; RAG_INTERNAL: an answer that no
 * reader would give. */
CHECKED enum channel_result wire_receive_answer(const struct channel *channel, rag_text bytes,
                                                struct buf *owner, struct document *document,
                                                rag_status *status, rag_error *error);

#endif
