/* tokenizer.h - from text to the ids that a model was trained on.
 *
 * One interface, one file a kind: unigram.c (XLM-RoBERTa's SentencePiece model),
 * wordpiece.c (BERT), byte_pair.c (the vocabularies of tiktoken). A tokenizer is immutable once
 * open, so that any number of threads may encode with it at the same time.
 *
 * The reference is Hugging Face's `tokenizers` with the hub's tokenizer.json, and tiktoken for
 * byte-pair vocabularies, whose tokens may begin and end inside a character: ids and
 * spans are equal to it for every valid UTF-8 text. Invalid UTF-8 is RAG_INPUT, with the
 * offset of the byte. */
#ifndef RAG_TEXT_TOKENIZER_H
#define RAG_TEXT_TOKENIZER_H

#include "base/packed.h"

#include <stdbool.h>

enum { TOKENIZER_MAX_TEXT = 1 << 30 }; /* bytes of one text */

struct tokenizer;

/* A growing list of tokens. begin/end: byte range in the source text; special tokens
 * that stand for no text have 0, 0. All zero is an empty list. */
struct token_list {
    int32_t *ids;    /* [count] */
    uint32_t *begin; /* [count] */
    uint32_t *end;   /* [count] */
    size_t count, capacity;
};

void token_list_release(struct token_list *list);
void token_list_clear(struct token_list *list); /* count 0, memory kept */
CHECKED bool token_list_push(struct token_list *list, int32_t id, uint32_t begin, uint32_t end);

/* Opens a file (tokenizer.json, *.model, vocab.txt, *.tiktoken) or a model's folder, where
 * tokenizer.json is preferred, then sentencepiece.bpe.model, then vocab.txt.
 * RAG_MODEL: missing, damaged, or of a kind that is not supported. */
CHECKED rag_status tokenizer_open(const char *path, struct tokenizer **out, rag_error *error);
void tokenizer_free(struct tokenizer *tokenizer);

/* The file that tokenizer_open would read, to be freed. */
CHECKED rag_status tokenizer_find(const char *path, char **file, rag_error *error);

/* The variant of a packed file that holds a tokenizer. */
#define TOKENIZER_PACKED "tokenizer-1"

/* False: it opens fast enough from its own file (byte-pair). */
bool tokenizer_is_packable(const struct tokenizer *tokenizer);

/* Writes a tokenizer that is packable, and the SHA-256 of its file, as sections of a packed
 * file. */
CHECKED rag_status tokenizer_pack(const struct tokenizer *tokenizer,
                                  struct packed_writer *writer, rag_error *error);

/* The tokenizer in a packed file. Its large tables stay in the file, which becomes the
 * tokenizer's to close (on failure it remains the caller's). `path`: what tokenizer_path is to
 * say. RAG_MODEL: damaged; not even a file that was made for it leads to a read outside. */
CHECKED rag_status tokenizer_unpack(struct packed *packed, const char *path,
                                    struct tokenizer **out, rag_error *error);
bool tokenizer_is_packed(const struct tokenizer *tokenizer);

/* The SHA-256 of the file that it was parsed from; read now, unless it comes from a packed
 * file. RAG_MODEL if it cannot be. */
CHECKED rag_status tokenizer_file_hash(const struct tokenizer *tokenizer, struct hash *hash,
                                       rag_error *error);

const char *
tokenizer_kind(const struct tokenizer *tokenizer); /* "unigram", "wordpiece", "byte-pair" */
const char *tokenizer_path(const struct tokenizer *tokenizer); /* the file it was read from */
size_t tokenizer_vocabulary(const struct tokenizer *tokenizer);

/* The piece of an id as the vocabulary writes it ("▁the"), NULL if out of range. */
const char *tokenizer_piece(const struct tokenizer *tokenizer, int32_t id);

/* -log of the piece's unigram probability, in nats; 0 for kinds that have none. */
float tokenizer_information(const struct tokenizer *tokenizer, int32_t id);

/* How many tokens stand in front of and behind a single text (1 and 1; byte-pair has
 * none), and how many a pair takes altogether (4 for XLM-RoBERTa, 3 for BERT). */
size_t tokenizer_specials_before(const struct tokenizer *tokenizer);
size_t tokenizer_specials_after(const struct tokenizer *tokenizer);
size_t tokenizer_specials_pair(const struct tokenizer *tokenizer);
bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id);

/* RAG_INPUT if the text is too long or not UTF-8, as encoding it would be. */
CHECKED rag_status tokenizer_check(rag_text text, rag_error *error);

/* Appends the tokens of a text without special tokens around it. A special token that
 * is written out in the text ("<mask>") becomes its id, as in the reference. */
CHECKED rag_status tokenizer_encode(const struct tokenizer *tokenizer, rag_text text,
                                    struct token_list *out, rag_error *error);

/* The same with the tokens before and behind: `<s> text </s>`. Never cut. */
CHECKED rag_status tokenizer_encode_single(const struct tokenizer *tokenizer, rag_text text,
                                           struct token_list *out, rag_error *error);

/* Appends `specials_before`, ids[0..count), `specials_after`: for texts that were
 * tokenized before and cut into windows. */
CHECKED bool tokenizer_wrap(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                            struct token_list *out);

/* `<s> a </s></s> b </s>` or `[CLS] a [SEP] b [SEP]`. max_tokens > 0 cuts by the
 * reference's longest-first rule. `types` (NULL allowed) becomes a malloc'ed array of
 * token type ids [out->count] (all 0 for XLM-RoBERTa). */
CHECKED rag_status tokenizer_encode_pair(const struct tokenizer *tokenizer, rag_text a,
                                         rag_text b, size_t max_tokens, struct token_list *out,
                                         uint8_t **types, rag_error *error);

#endif
