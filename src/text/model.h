/* model.h - what a tokenizer is made of, as the loaders fill it in. */
#ifndef RAG_TEXT_MODEL_H
#define RAG_TEXT_MODEL_H

#include "base/packed.h"
#include "text/added_tokens.h"
#include "text/charsmap.h"
#include "text/piece_trie.h"
#include "text/tokenizer.h"

enum tokenizer_model { MODEL_UNIGRAM, MODEL_WORDPIECE, MODEL_BYTE_PAIR };

/* What stands around a text or a pair of texts, in order. */
enum { TEMPLATE_MAX_ITEMS = 64, TEMPLATE_TEXT_A = -1, TEMPLATE_TEXT_B = -2 };

struct template
{
    int32_t items[TEMPLATE_MAX_ITEMS]; /* an id, or one of the texts */
    uint8_t types[TEMPLATE_MAX_ITEMS]; /* token type ids */
    size_t count;
};

/* Runs of two or more spaces become one space, or the Metaspace sign. */
enum space_runs { SPACE_RUNS_KEEP, SPACE_RUNS_TO_SPACE, SPACE_RUNS_TO_METASPACE };

/* Whether the Metaspace sign is put before a piece of text that has none. */
enum metaspace_prefix { METASPACE_NEVER, METASPACE_FIRST, METASPACE_ALWAYS };

enum {
    TRAIT_SPACE = 1,   /* white space */
    TRAIT_PATTERN = 2, /* an added token that is looked for in normalised text begins so */
};

/* SentencePiece's unigram model (T. Kudo, 2018) as the hub's tokenizer.json sets it up:
 * Precompiled, Replace and Strip as normalisers, Metaspace as the pre-tokenizer. */
struct unigram {
    struct charsmap charsmap;
    enum space_runs space_runs;
    bool strip_left, strip_right;
    bool split_at_white_space; /* WhitespaceSplit before Metaspace */
    enum metaspace_prefix prefix;

    /* Made by unigram_prepare. */
    struct code_table classes; /* grapheme classes */
    struct code_table entries; /* what becomes of a character, see normalizer.c */
    uint32_t *expansions;      /* [expansion_count]: a length and so many symbols */
    size_t expansion_count, expansion_capacity;
    uint32_t space, metaspace; /* symbols, with SYMBOL_BOUNDARY */
    uint8_t *traits;           /* [symbol_count + 1] TRAIT_... */
    uint32_t *flagged;         /* [symbol_count + 1] the symbol with its flags */
    uint32_t *patterns;        /* symbols of the added tokens that are normalised: */
    size_t *pattern_first;     /* [added.count + 1] into patterns */
    size_t longest_pattern;
    double unknown_score;
};

enum {
    WORDPIECE_MAX_CHARACTERS = 100,    /* of a word, where the file does not say */
    WORDPIECE_LIMIT_CHARACTERS = 4096, /* what a file may say */
};

/* BERT's WordPiece (Schuster and Nakajima, 2012). */
struct wordpiece {
    bool clean_text, chinese, strip_accents, lowercase;
    char prefix[64];       /* of pieces that continue a word */
    size_t max_characters; /* of a word; a longer one is unknown */

    /* Made by wordpiece_prepare. */
    struct code_table entries; /* what becomes of a character, see wordpiece.c */
    uint32_t *expansions;      /* [expansion_count]: a length and so many symbols */
    size_t expansion_count, expansion_capacity;
    uint32_t continuation; /* the trie's node behind the prefix, TRIE_NONE if none */
};

enum { BYTE_PAIR_MAX_TOKEN = 1 << 14 }; /* bytes */

/* Byte-level BPE: tokens are strings of bytes with ranks, which are their ids. */
struct byte_pair {
    struct buf bytes; /* of all tokens, one behind the other */
    uint32_t *ends;   /* [count] where each ends in `bytes` */
    uint32_t *ranks;  /* [count] */
    size_t count, capacity, longest;

    /* Made by byte_pair_prepare. */
    uint32_t *slots; /* [mask + 1] a hash table: a token's number + 1, 0 where there is none */
    size_t mask;
    struct code_table classes;
};

struct tokenizer {
    enum tokenizer_model model;
    char *path;
    /* NULL if it was parsed. Else the vocabulary, the trie, the entries, expansions and
     * charsmap lie in this file and belong to it. */
    struct packed *packed;
    struct hash file_hash;        /* of the file at `path`, where it comes from a packed file */
    struct vocabulary vocabulary; /* of the model, and behind it what was added */
    size_t model_pieces;
    struct piece_trie trie;
    struct added_tokens added;
    struct template single, pair;
    uint8_t *special; /* [vocabulary.count] */
    int32_t unknown;  /* id, -1 if there is none */
    struct unigram unigram;
    struct wordpiece wordpiece;
    struct byte_pair byte_pair;
};

/* Empty; NULL: out of memory. */
CHECKED struct tokenizer *tokenizer_new(void);

/* The search for added tokens, and which ids are special; RAG_MODEL if a template has an id
 * that is none. */
CHECKED rag_status tokenizer_prepare_added(struct tokenizer *tokenizer, rag_error *error);

/* Closes the packed file, and forgets what lies in it. */
void tokenizer_return_packed(struct tokenizer *tokenizer);

/* The loaders fill the vocabulary, added, single, pair, unknown and the settings; errors
 * are RAG_MODEL and don't name the file. */
CHECKED rag_status tokenizer_json_load(const char *path, struct tokenizer *tokenizer,
                                       rag_error *error);
CHECKED rag_status sentencepiece_model_load(const char *path, struct tokenizer *tokenizer,
                                            rag_error *error);
CHECKED rag_status vocab_txt_load(const char *path, struct tokenizer *tokenizer,
                                  rag_error *error);
CHECKED rag_status tiktoken_file_load(const char *path, struct tokenizer *tokenizer,
                                      rag_error *error);

/* Takes the bytes from `begin` on in pairs->bytes as the next token. */
CHECKED rag_status byte_pair_push(struct byte_pair *pairs, size_t begin, uint32_t rank,
                                  rag_error *error);

/* file_read for a model's file: RAG_MODEL, and the path is not in the message. */
CHECKED rag_status tokenizer_read_file(const char *path, struct buf *out, rag_error *error);

/* `first A last`, and `first A middle B last`, where the middle is `last` once or twice.
 * Type ids are 0, those of B and behind it `type_b`. */
void template_simple(struct tokenizer *tokenizer, int32_t first, int32_t last, bool twice,
                     uint8_t type_b);

/* Makes what is derived from the settings and the vocabulary. */
CHECKED rag_status unigram_prepare(struct tokenizer *tokenizer, rag_error *error);
CHECKED rag_status wordpiece_prepare(struct tokenizer *tokenizer, rag_error *error);
CHECKED rag_status byte_pair_prepare(struct tokenizer *tokenizer, rag_error *error);
/* The same for a tokenizer whose trie, entries, expansions and charsmap come from a file:
 * checks what of them could lead astray, and makes what is not stored. */
CHECKED rag_status unigram_restore(struct tokenizer *tokenizer, rag_error *error);
CHECKED rag_status wordpiece_restore(const struct tokenizer *tokenizer, rag_error *error);
void unigram_release(struct unigram *unigram);
void wordpiece_release(struct wordpiece *wordpiece);
void byte_pair_release(struct byte_pair *pairs);

/* A part of a valid text without added tokens (of the kind looked for in the source).
 * Both append to out. */
CHECKED rag_status unigram_encode(const struct tokenizer *tokenizer, const char *text,
                                  size_t begin, size_t end, struct token_list *out,
                                  rag_error *error);
CHECKED rag_status wordpiece_encode(const struct tokenizer *tokenizer, const char *text,
                                    size_t begin, size_t end, struct token_list *out,
                                    rag_error *error);
CHECKED rag_status byte_pair_encode(const struct tokenizer *tokenizer, const char *text,
                                    size_t begin, size_t end, struct token_list *out,
                                    rag_error *error);

#endif
