/* The unigram language model (T. Kudo, "Subword Regularization", ACL 2018): of all ways
 * to cut a word into pieces the one with the highest sum of log probabilities, found by
 * Viterbi's algorithm from the left. Sums are doubles and an equal sum does not replace
 * an earlier one, as in the reference (tokenizers/src/models/unigram/model.rs,
 * encode_optimized). A character that is no piece costs the lowest score less 10;
 * neighbouring unknown characters become one token.
 *
 * A word goes from one Metaspace sign to the next, which in Chinese may be a long way. So
 * the text is read in blocks, and a word is emitted up to each place that no piece
 * spans: every path leads through it. */
#include "text/normalizer.h"

#include "base/memory.h"
#include "text/utf8.h"

#include <math.h>
#include <string.h>

enum {
    BLOCK = 8192,      /* symbols read at once: its arrays stay in the second-level cache */
    EMIT_BEYOND = 512, /* a word that is longer is emitted in parts */
};

#define UNKNOWN_PENALTY 10.0
#define LOWEST_SCORE    (-1e6) /* of a piece */

struct run {
    const struct tokenizer *tokenizer;
    struct token_list *out;
    struct symbol_stream stream;
    size_t segment; /* byte at which the text's part begins */
    size_t start;   /* what lies before is emitted */
    size_t next;    /* boundary whose pieces are tried next, while in a word */
    size_t word_end;
    size_t reach;   /* the furthest end of the pieces tried */
    size_t matched; /* added tokens were looked for up to here */
    bool in_word;
    bool fuse;        /* the word's last token was unknown */
    bool split_start; /* the next symbol begins a piece of text of its own */
    bool first_split;
};

static bool run_token(struct run *run, int32_t id, uint32_t begin, uint32_t end)
{
    bool unknown = id == run->tokenizer->unknown;
    if (unknown && run->fuse) {
        run->out->end[run->out->count - 1] = end;
        return true;
    }
    run->fuse = unknown;
    return token_list_push(run->out, id, begin, end);
}

/* A boundary that no piece has reached yet. One will, unless scores are damaged: then the
 * character before it counts as unknown. */
static inline struct best_path unreached(size_t boundary)
{
    return (struct best_path){-(double)INFINITY, TRIE_NONE, (uint32_t)boundary - 1};
}

/* Emits the best path from `start` to the boundary `to`. */
static bool run_emit(struct run *run, size_t to)
{
    struct best_path *best = run->stream.best;
    const struct trie_node *nodes = run->tokenizer->trie.nodes;
    /* The links lead back: turn them round, so that best[i].start is the next boundary. */
    uint32_t ahead = (uint32_t)to, at = (uint32_t)to;
    while (at != run->start) {
        uint32_t from = best[at].start;
        best[at].start = ahead;
        ahead = at;
        at = from;
    }
    while (at != to) {
        uint32_t end = ahead;
        uint32_t node = best[end].node;
        int32_t id = node == TRIE_NONE ? run->tokenizer->unknown : nodes[node].id;
        if ((uint32_t)id >= run->tokenizer->vocabulary.count) /* of a damaged packed file */
            id = run->tokenizer->unknown;
        if (!run_token(run, id, run->stream.begin[at], run->stream.end[end - 1]))
            return false;
        ahead = best[end].start;
        at = end;
    }
    run->start = to;
    return true;
}

/* Tries all pieces that begin at boundary `at` of the word. */
static inline void run_relax(struct run *run, size_t at, size_t word_end)
{
    const struct trie_node *nodes = run->tokenizer->trie.nodes;
    const uint32_t *symbols = run->stream.symbols;
    struct best_path *best = run->stream.best;
    double so_far = best[at].score;
    uint32_t node = symbols[at] & SYMBOL_MASK; /* the root's base is 0 */
    size_t end = at + 1;
    if (nodes[node].check != 0 || nodes[node].score == -(double)INFINITY) {
        double score = so_far + run->tokenizer->unigram.unknown_score;
        if (score > best[end].score)
            best[end] = (struct best_path){score, TRIE_NONE, (uint32_t)at};
        if (end > run->reach)
            run->reach = end;
        if (nodes[node].check != 0)
            return;
    }
    size_t reach = run->reach;
    for (;;) {
        double score = so_far + nodes[node].score;
        if (score > best[end].score)
            best[end] = (struct best_path){score, node, (uint32_t)at};
        if (nodes[node].score > -(double)INFINITY && end > reach)
            reach = end;
        if (end == word_end)
            break;
        uint32_t child = piece_trie_step(&run->tokenizer->trie, node, symbols[end]);
        if (child == TRIE_NONE)
            break;
        node = child;
        end++;
    }
    run->reach = reach;
}

/* Goes on with the word. Returns false when it needs symbols that are not read yet. */
static bool run_word(struct run *run, bool finished, bool *failed)
{
    struct symbol_stream *stream = &run->stream;
    size_t known = run->matched;
    while (run->word_end < known && !(stream->symbols[run->word_end] & SYMBOL_BOUNDARY)) {
        run->word_end++;
        stream->best[run->word_end] = unreached(run->word_end);
    }
    bool whole = run->word_end < known || finished;
    size_t keep = whole ? 0 : run->tokenizer->trie.longest;
    for (; run->next + keep < run->word_end; run->next++) {
        if (run->next - run->start >= EMIT_BEYOND && run->reach == run->next &&
            !run_emit(run, run->next)) {
            *failed = true;
            return false;
        }
        run_relax(run, run->next, run->word_end);
    }
    if (!whole)
        return false;
    *failed = !run_emit(run, run->word_end);
    run->in_word = false;
    return !*failed;
}

/* Begins a word at `start`, with a Metaspace sign before it where the settings ask. */
static void run_begin_word(struct run *run)
{
    const struct unigram *unigram = &run->tokenizer->unigram;
    struct symbol_stream *stream = &run->stream;
    uint32_t symbol = stream->symbols[run->start];
    bool has_sign = symbol == unigram->space || (symbol & ~SYMBOL_RUN) == unigram->metaspace;
    size_t place = run->first_split ? run->segment : stream->begin[run->start];
    bool prefix = unigram->prefix == METASPACE_ALWAYS ||
                  (unigram->prefix == METASPACE_FIRST && place == 0);
    if (!has_sign && run->split_start && prefix) {
        /* The place before is free: slot 0, or that of an added token or a space. */
        stream->begin[run->start - 1] = stream->begin[run->start];
        stream->end[run->start - 1] = stream->end[run->start];
        run->start--;
        has_sign = true;
    }
    if (has_sign)
        stream->symbols[run->start] = unigram->metaspace & SYMBOL_MASK;
    else
        stream->symbols[run->start] &= SYMBOL_MASK;
    stream->best[run->start].score = 0;
    stream->best[run->start + 1] = unreached(run->start + 1);
    run->next = run->reach = run->start;
    run->word_end = run->start + 1;
    /* Only the sign was put in: the symbol behind it belongs to the word. */
    run->in_word = true;
    run->fuse = run->split_start = run->first_split = false;
}

/* Emits what is sure. Without `finished` the symbols behind `matched` are kept back. */
static bool run_consume(struct run *run, bool finished)
{
    struct symbol_stream *stream = &run->stream;
    const struct unigram *unigram = &run->tokenizer->unigram;
    bool failed = false;
    for (;;) {
        if (run->in_word) {
            if (!run_word(run, finished, &failed))
                return !failed;
            continue;
        }
        if (run->start >= run->matched)
            break;
        uint32_t symbol = stream->symbols[run->start];
        if (symbol & SYMBOL_ADDED) {
            const struct added_token *token =
                &run->tokenizer->added.items[symbol & SYMBOL_MASK];
            if (!token_list_push(run->out, token->id, stream->begin[run->start],
                                 stream->end[run->start]))
                return false;
            run->start++;
            run->split_start = true;
            run->first_split = false;
        } else if (unigram->split_at_white_space &&
                   unigram->traits[symbol & SYMBOL_MASK] & TRAIT_SPACE) {
            run->start++;
            run->split_start = true;
            run->first_split = false;
        } else {
            run_begin_word(run);
        }
    }
    return true;
}

static size_t pattern_at(const struct run *run, size_t at, size_t pattern)
{
    const struct unigram *unigram = &run->tokenizer->unigram;
    size_t first = unigram->pattern_first[pattern];
    size_t size = unigram->pattern_first[pattern + 1] - first;
    if (size == 0 || size > run->stream.count - at)
        return 0;
    for (size_t i = 0; i < size; i++)
        if ((run->stream.symbols[at + i] & SYMBOL_MASK) != unigram->patterns[first + i])
            return 0;
    return size;
}

static bool is_space_at(const struct run *run, size_t at)
{
    uint32_t symbol = run->stream.symbols[at];
    return !(symbol & SYMBOL_ADDED) &&
           run->tokenizer->unigram.traits[symbol & SYMBOL_MASK] & TRAIT_SPACE;
}

/* Strip comes before Replace, so that to it the sign of a run is still white space. */
static bool may_be_stripped(const struct run *run, size_t at)
{
    return is_space_at(run, at) ||
           (run->tokenizer->unigram.strip_right && run->stream.symbols[at] & SYMBOL_RUN);
}

static size_t spaces_end(const struct run *run, size_t at)
{
    while (at < run->stream.count && is_space_at(run, at))
        at++;
    return at;
}

/* Puts one symbol in the place of an added token that lies at [at, at + size). */
static size_t put_added(struct run *run, size_t at, size_t size, size_t index)
{
    struct symbol_stream *stream = &run->stream;
    const struct added_token *token = &run->tokenizer->added.items[index];
    size_t from = at, to = at + size;
    size_t free_from = run->in_word ? run->word_end : run->start;
    while (token->lstrip && from > free_from && is_space_at(run, from - 1))
        from--;
    if (token->rstrip)
        to = spaces_end(run, to);
    stream->symbols[from] = SYMBOL_BOUNDARY | SYMBOL_ADDED | (uint32_t)index;
    stream->end[from] = stream->end[to - 1];
    size_t rest = stream->count - to;
    memmove(stream->symbols + from + 1, stream->symbols + to, rest * sizeof(uint32_t));
    memmove(stream->begin + from + 1, stream->begin + to, rest * sizeof(uint32_t));
    memmove(stream->end + from + 1, stream->end + to, rest * sizeof(uint32_t));
    stream->count -= to - from - 1;
    return from + 1;
}

/* Looks for the added tokens of normalised text, leftmost and then longest first. What is
 * left behind `matched` may be part of one, or be taken away by one or by Strip. */
static void run_match(struct run *run, bool finished)
{
    const struct unigram *unigram = &run->tokenizer->unigram;
    struct symbol_stream *stream = &run->stream;
    size_t keep = finished ? 0 : unigram->longest_pattern + 1;
    size_t at = run->matched;
    while (unigram->longest_pattern && at + keep < stream->count) {
        size_t best = 0, best_size = 0;
        if (!(unigram->traits[stream->symbols[at] & SYMBOL_MASK] & TRAIT_PATTERN)) {
            at++;
            continue;
        }
        for (size_t i = 0; i < run->tokenizer->added.count; i++) {
            size_t size = pattern_at(run, at, i);
            if (size > best_size) {
                best = i;
                best_size = size;
            }
        }
        if (best_size && !finished && run->tokenizer->added.items[best].rstrip &&
            spaces_end(run, at + best_size) == stream->count)
            break;
        at = best_size ? put_added(run, at, best_size, best) : at + 1;
    }
    if (!unigram->longest_pattern)
        at = stream->count > keep ? stream->count - keep : at;
    while (!finished && at > run->matched && may_be_stripped(run, at - 1))
        at--;
    if (at > run->matched)
        run->matched = at;
}

/* Moves what is not emitted yet to the front, behind the free slot. */
static void run_compact(struct run *run)
{
    struct symbol_stream *stream = &run->stream;
    if (run->start <= 1)
        return;
    size_t shift = run->start - 1, rest = stream->count - run->start;
    memmove(stream->symbols + 1, stream->symbols + run->start, rest * sizeof(uint32_t));
    memmove(stream->begin + 1, stream->begin + run->start, rest * sizeof(uint32_t));
    memmove(stream->end + 1, stream->end + run->start, rest * sizeof(uint32_t));
    if (run->in_word) {
        size_t paths = run->word_end - run->start + 1;
        memmove(stream->best + 1, stream->best + run->start, paths * sizeof *stream->best);
        for (size_t i = 1; i < 1 + paths; i++)
            if (stream->best[i].start >= shift)
                stream->best[i].start -= (uint32_t)shift;
        run->next -= shift;
        run->word_end -= shift;
        run->reach -= shift;
    }
    stream->count -= shift;
    run->matched -= shift;
    run->start = 1;
}

/* Strip on the right: only known when the text has ended. */
static void run_strip(struct run *run)
{
    if (!run->tokenizer->unigram.strip_right)
        return;
    while (run->stream.count > run->matched && may_be_stripped(run, run->stream.count - 1))
        run->stream.count--;
}

rag_status unigram_encode(const struct tokenizer *tokenizer, const char *text, size_t begin,
                          size_t end, struct token_list *out, rag_error *error)
{
    struct run run = {
        .tokenizer = tokenizer,
        .out = out,
        .segment = begin,
        .start = 1,
        .matched = 1,
        .split_start = true,
        .first_split = true,
    };
    struct normalizer normalizer;
    bool done = false;
    size_t block = end - begin < BLOCK ? end - begin + 16 : BLOCK;
    normalizer_start(&normalizer, tokenizer, text, begin, end);
    if (!symbol_stream_reserve(&run.stream, block))
        goto out;
    run.stream.count = 1; /* slot 0 is free for a Metaspace sign */
    for (bool finished = false; !finished;) {
        /* What is kept back may be all that there was room for. */
        size_t room = run.stream.capacity;
        if (room - run.stream.count < block / 2)
            room += room / 2 + block;
        if (!symbol_stream_reserve(&run.stream, room) ||
            !normalizer_fill(&normalizer, &run.stream, room - 1))
            goto out;
        finished = normalizer.position == normalizer.end;
        if (finished)
            run_strip(&run);
        run_match(&run, finished);
        if (!run_consume(&run, finished))
            goto out;
        run_compact(&run);
    }
    done = true;
out:
    symbol_stream_release(&run.stream);
    return done ? RAG_OK : fail_memory(error);
}

/* The added tokens that are looked for in normalised text, as symbols. */
static bool make_patterns(struct tokenizer *tokenizer)
{
    struct unigram *unigram = &tokenizer->unigram;
    const struct added_tokens *added = &tokenizer->added;
    bool done = false;
    struct symbol_stream stream = {0};
    size_t count = 0, capacity = 0;
    unigram->pattern_first = alloc_zeroed(added->count + 1, sizeof *unigram->pattern_first);
    if (!unigram->pattern_first)
        return false;
    for (size_t i = 0; i < added->count; i++) {
        const struct added_token *token = &added->items[i];
        unigram->pattern_first[i] = count;
        if (!token->normalized)
            continue;
        struct normalizer normalizer;
        stream.count = 0;
        normalizer_start(&normalizer, tokenizer, added->text.data + token->offset, 0,
                         token->size);
        if (!normalizer_fill(&normalizer, &stream, SIZE_MAX) ||
            !array_reserve(&unigram->patterns, &capacity, count + stream.count,
                           sizeof *unigram->patterns))
            goto out;
        while (unigram->strip_right && stream.count &&
               unigram->traits[stream.symbols[stream.count - 1] & SYMBOL_MASK] & TRAIT_SPACE)
            stream.count--;
        for (size_t j = 0; j < stream.count; j++)
            unigram->patterns[count++] = stream.symbols[j] & SYMBOL_MASK;
        if (stream.count)
            unigram->traits[stream.symbols[0] & SYMBOL_MASK] |= TRAIT_PATTERN;
        if (stream.count > unigram->longest_pattern)
            unigram->longest_pattern = stream.count;
    }
    unigram->pattern_first[added->count] = count;
    done = true;
out:
    symbol_stream_release(&stream);
    return done;
}

/* Characters that the settings speak of must have symbols, pieces or not. */
static bool extra_characters(const struct tokenizer *tokenizer, struct buf *extra)
{
    if (!buf_append_text(extra, " \xE2\x96\x81"))
        return false;
    for (size_t i = 0; i < reference_space.count; i++)
        for (uint32_t code = reference_space.items[i].first;
             code <= reference_space.items[i].last; code++) {
            char bytes[4];
            size_t size = utf8_encode((int32_t)code, bytes);
            if (!buf_append(extra, bytes, size))
                return false;
        }
    for (size_t i = 0; i < tokenizer->added.count; i++) {
        const struct added_token *token = &tokenizer->added.items[i];
        if (token->normalized &&
            !buf_append(extra, tokenizer->added.text.data + token->offset, token->size))
            return false;
    }
    return true;
}

rag_status unigram_prepare(struct tokenizer *tokenizer, rag_error *error)
{
    struct vocabulary *vocabulary = &tokenizer->vocabulary;
    double lowest = 0;
    for (size_t i = 0; i < tokenizer->model_pieces; i++) {
        if (!(vocabulary->scores[i] <= 0) || vocabulary->scores[i] < LOWEST_SCORE)
            return fail_with(error, RAG_MODEL,
                             "the score of piece %zu (%g) is not a log probability", i,
                             vocabulary->scores[i]);
        if (vocabulary->scores[i] < lowest)
            lowest = vocabulary->scores[i];
    }
    tokenizer->unigram.unknown_score = lowest - UNKNOWN_PENALTY;
    if (tokenizer->unknown < 0)
        return fail_with(error, RAG_MODEL, "a unigram model without an unknown token");
    struct buf extra = BUF_INIT(ADDED_TOKENS_MAX_TEXT + 1024);
    rag_status status = RAG_OK;
    if (!extra_characters(tokenizer, &extra))
        status = fail_memory(error);
    if (!status)
        status = piece_trie_build(vocabulary, tokenizer->model_pieces, extra.data,
                                  &tokenizer->trie, error);
    if (!status)
        status = normalizer_flags(tokenizer, error);
    if (!status)
        status = normalizer_entries(tokenizer, error);
    if (!status && !make_patterns(tokenizer))
        status = fail_memory(error);
    buf_release(&extra);
    return status;
}

rag_status unigram_restore(struct tokenizer *tokenizer, rag_error *error)
{
    const struct unigram *unigram = &tokenizer->unigram;
    if (!(unigram->unknown_score < 0) ||
        unigram->unknown_score < LOWEST_SCORE - UNKNOWN_PENALTY)
        return fail_with(error, RAG_MODEL, "its score of unknown pieces is damaged");
    rag_status status =
        charsmap_check(unigram->charsmap.strings, unigram->charsmap.strings_size, error);
    if (!status && !normalizer_check(tokenizer))
        status = fail_with(error, RAG_MODEL, "its table of characters is damaged");
    if (!status)
        status = normalizer_flags(tokenizer, error);
    if (!status && !make_patterns(tokenizer))
        status = fail_memory(error);
    return status;
}

void unigram_release(struct unigram *unigram)
{
    charsmap_release(&unigram->charsmap);
    code_table_release(&unigram->classes);
    code_table_release(&unigram->entries);
    free(unigram->expansions);
    free(unigram->traits);
    free(unigram->flagged);
    free(unigram->patterns);
    free(unigram->pattern_first);
    *unigram = (struct unigram){0};
}
