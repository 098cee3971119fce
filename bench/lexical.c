/* How fast words are found, beside plain FTS5 with its bm25(): lexical FILE [CHUNKS].
 *
 * FILE and FILE.peer are made if they are not there: CHUNKS (200000) chunks, half of them
 * English (60 words of 200,000), half Chinese (120 characters, words of one and two
 * characters), words drawn by Zipf's law. The peer gets the same terms, parted by spaces, in a
 * contentless table. Questions: a stretch of a chunk, as people ask about what is there; and
 * frequent words alone. Times are of one thread: the first time that a process asks, and the
 * least of three later ones. */
#define _XOPEN_SOURCE 700
#include "base/buf.h"
#include "base/clock.h"
#include "store/store.h"
#include "text/utf8.h"
#include "text/words.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PER_DOCUMENT = 1000,
    ENGLISH_WORDS = 60,
    CHINESE_WORDS = 80,
    QUESTIONS = 40, /* of a kind */
    FOUND = 100,
    MAX_TEXT = 4096,
};

static uint64_t seed = 1;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0;
}

/* A rank from 0 below `count`, as often as 1 / (rank + 1) has it. */
static unsigned zipf(unsigned count)
{
    return (unsigned)(pow(count + 1.0, uniform()) - 1);
}

static void write_english(struct buf *out, unsigned rank)
{
    static const char syllables[][3] = {"ba", "de", "fi", "go", "hu", "ka", "le", "mi",
                                        "no", "pu", "ra", "se", "ti", "vo", "wu", "za"};
    bool fits = true;
    do {
        fits = fits && buf_append_text(out, syllables[rank % 16]);
        rank /= 16;
    } while (rank--);
    if (!fits || !buf_append_char(out, ' '))
        abort();
}

/* Every word always has the same characters, the frequent ones mostly one. */
static void write_chinese(struct buf *out, unsigned rank)
{
    char bytes[4];
    unsigned mixed = rank * 2654435761u;
    bool single = rank < 200 || mixed % 8 == 0;
    for (unsigned i = 0; i < (single ? 1 : 2); i++) {
        double place = (double)(mixed >> 8 & 0xffffff) / 16777216.0;
        unsigned character = rank < 200 ? rank : (unsigned)(pow(4000, place) - 1) + 60;
        if (!buf_append(out, bytes, utf8_encode((int32_t)(0x4e00 + character), bytes)))
            abort();
        mixed = mixed * 2246822519u + 374761393u;
    }
}

static void write_words(struct buf *out, bool chinese, size_t count, unsigned vocabulary)
{
    for (size_t i = 0; i < count; i++) {
        if (chinese)
            write_chinese(out, zipf(vocabulary));
        else
            write_english(out, zipf(vocabulary));
    }
}

static void write_chunk(struct buf *out, size_t number)
{
    seed = number * 7919 + 1;
    uniform();
    if (number % 2)
        write_words(out, true, CHINESE_WORDS, 60000);
    else
        write_words(out, false, ENGLISH_WORDS, 200000);
}

static void must(rag_status status, const rag_error *error)
{
    if (status) {
        fprintf(stderr, "%s\n", error->message);
        exit(1);
    }
}

static void must_sqlite(int code, sqlite3 *db)
{
    if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE) {
        fprintf(stderr, "peer: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

/* ---- Making ---- */

static void put_document(struct store *store, size_t number)
{
    static struct store_chunk chunks[PER_DOCUMENT];
    static const float vector[4] = {1};
    struct buf text = BUF_INIT((size_t)PER_DOCUMENT * MAX_TEXT);
    char path[32];
    rag_error error;
    for (size_t i = 0; i < PER_DOCUMENT; i++) {
        size_t begin = text.size, chunk = number * PER_DOCUMENT + i;
        write_chunk(&text, chunk);
        chunks[i] = (struct store_chunk){.begin = begin,
                                         .end = text.size,
                                         .line = 1,
                                         .last_line = 1,
                                         .heading = "",
                                         .vector = vector};
        memcpy(chunks[i].hash.bytes, &chunk, sizeof chunk);
    }
    snprintf(path, sizeof path, "/%zu", number);
    struct store_document document = {
        .path = path, .format = "text", .text = {text.data, text.size}};
    must(store_put(store, &document, chunks, PER_DOCUMENT, &error), &error);
    buf_release(&text);
}

static void make_index(struct store *store, size_t chunks)
{
    rag_error error;
    struct store_counts counts;
    struct store_recipe recipe = {.model = "bench", .dimension = 4};
    must(store_count(store, &counts, &error), &error);
    if (counts.chunks)
        return;
    must(store_set_recipe(store, &recipe, &error), &error);
    must(store_set_volatile(store, &error), &error);
    double start = clock_seconds();
    for (size_t i = 0; i < chunks / PER_DOCUMENT; i++)
        put_document(store, i);
    double seconds = clock_seconds() - start;
    must(store_count(store, &counts, &error), &error);
    printf("put: %zu chunks, %.0f chunks/s, %.0f bytes a chunk\n", counts.chunks,
           (double)counts.chunks / seconds, (double)counts.bytes / (double)counts.chunks);
}

static int append_term(const struct word *word, void *user)
{
    struct buf *out = user;
    return !buf_append(out, word->term, word->size) || !buf_append_char(out, ' ');
}

static void append_terms(struct buf *out, rag_text text)
{
    if (words_each(text, append_term, out) != 0)
        abort();
}

static void make_peer(sqlite3 *db, size_t chunks)
{
    sqlite3_stmt *insert;
    struct buf text = BUF_INIT(MAX_TEXT), terms = BUF_INIT(MAX_TEXT * 4);
    int code = sqlite3_exec(db,
                            "PRAGMA synchronous=OFF; CREATE VIRTUAL TABLE words USING "
                            "fts5(text, content='', tokenize='unicode61')",
                            NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return; /* it is there */
    must_sqlite(sqlite3_prepare_v2(db, "INSERT INTO words(rowid, text) VALUES(?, ?)", -1,
                                   &insert, NULL),
                db);
    double start = clock_seconds();
    for (size_t i = 0; i < chunks; i++) {
        if (i % PER_DOCUMENT == 0)
            must_sqlite(sqlite3_exec(db, i ? "COMMIT; BEGIN" : "BEGIN", NULL, NULL, NULL), db);
        buf_clear(&text);
        buf_clear(&terms);
        write_chunk(&text, i);
        append_terms(&terms, (rag_text){text.data, text.size});
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)i + 1);
        sqlite3_bind_text(insert, 2, terms.data, (int)terms.size, SQLITE_STATIC);
        sqlite3_step(insert);
        must_sqlite(sqlite3_reset(insert), db);
    }
    must_sqlite(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), db);
    printf("put into plain FTS5: %.0f chunks/s\n", (double)chunks / (clock_seconds() - start));
    sqlite3_finalize(insert);
    buf_release(&text);
    buf_release(&terms);
}

/* ---- Asking ---- */

enum kind { ENGLISH_PASSAGE, CHINESE_PASSAGE, ENGLISH_FREQUENT, CHINESE_FREQUENT, KINDS };

static void write_question(struct buf *out, enum kind kind, size_t number, size_t chunks)
{
    buf_clear(out);
    if (kind == ENGLISH_FREQUENT || kind == CHINESE_FREQUENT) {
        seed = number * 104729 + 7;
        write_words(out, kind == CHINESE_FREQUENT, 10, 300);
        return;
    }
    size_t chunk = (number * 9973 + 17) % (chunks / 2) * 2 + (kind == CHINESE_PASSAGE);
    write_chunk(out, chunk);
    size_t at = 0, units = 0, limit = kind == CHINESE_PASSAGE ? 18 : 10;
    for (size_t length; at < out->size && units < limit; at += length) {
        (void)utf8_decode(out->data + at, out->size - at, &length);
        units += kind == CHINESE_PASSAGE || out->data[at] == ' ';
    }
    out->size = at;
}

static double ask(struct store *store, rag_text question)
{
    struct scored_list found;
    rag_error error;
    double ceiling, start = clock_seconds();
    must(store_search_lexical(store, question, FOUND, NULL, &found, &ceiling, &error), &error);
    scored_list_release(&found);
    return clock_seconds() - start;
}

/* The least of three times: what others on the machine take is not counted. */
static double ask_again(struct store *store, rag_text question)
{
    double least = ask(store, question);
    for (int i = 0; i < 2; i++)
        least = fmin(least, ask(store, question));
    return least;
}

static int append_quoted(const struct word *word, void *user)
{
    struct buf *out = user;
    return !buf_append_text(out, out->size ? " OR \"" : "\"") ||
           !buf_append(out, word->term, word->size) || !buf_append_char(out, '"');
}

static double ask_peer(sqlite3 *db, rag_text question)
{
    sqlite3_stmt *statement;
    struct buf expression = BUF_INIT(1 << 16);
    if (words_each(question, append_quoted, &expression) != 0)
        abort();
    double start = clock_seconds();
    must_sqlite(sqlite3_prepare_v2(db,
                                   "SELECT rowid, rank FROM words WHERE words MATCH ? "
                                   "ORDER BY rank LIMIT ?",
                                   -1, &statement, NULL),
                db);
    sqlite3_bind_text(statement, 1, expression.data, (int)expression.size, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, FOUND);
    while (sqlite3_step(statement) == SQLITE_ROW)
        ;
    must_sqlite(sqlite3_finalize(statement), db);
    buf_release(&expression);
    return clock_seconds() - start;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *who, double *seconds, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += seconds[i];
    qsort(seconds, count, sizeof *seconds, ascending);
    printf("  %-12s mean %8.2f ms  median %8.2f  greatest %8.2f\n", who,
           1000 * sum / (double)count, 1000 * seconds[count / 2], 1000 * seconds[count - 1]);
}

static void measure(struct store *store, sqlite3 *peer, enum kind kind, size_t chunks)
{
    static const char *const names[] = {
        "English, 10 words of a chunk", "Chinese, 18 characters of a chunk",
        "English, 10 frequent words", "Chinese, 10 frequent words"};
    enum { PEER_QUESTIONS = 5 };
    double first[QUESTIONS], later[QUESTIONS], peers[PEER_QUESTIONS];
    struct buf question = BUF_INIT(MAX_TEXT);
    printf("%s\n", names[kind]);
    for (size_t i = 0; i < QUESTIONS; i++) {
        write_question(&question, kind, i, chunks);
        first[i] = ask(store, (rag_text){question.data, question.size});
        later[i] = ask_again(store, (rag_text){question.data, question.size});
    }
    print_times("first", first, QUESTIONS);
    print_times("again", later, QUESTIONS);
    for (size_t i = 0; i < PEER_QUESTIONS; i++) {
        write_question(&question, kind, i, chunks);
        peers[i] = ask_peer(peer, (rag_text){question.data, question.size});
    }
    print_times("plain FTS5", peers, PEER_QUESTIONS);
    buf_release(&question);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE [CHUNKS]\n", argv[0]);
        return 2;
    }
    size_t chunks = argc > 2 ? strtoul(argv[2], NULL, 10) : 200000;
    char path[512];
    rag_error error;
    struct store *store;
    sqlite3 *peer;
    must(store_open(argv[1], true, &store, &error), &error);
    snprintf(path, sizeof path, "%s.peer", argv[1]);
    if (sqlite3_open(path, &peer) != SQLITE_OK)
        return 1;
    make_index(store, chunks);
    make_peer(peer, chunks);
    for (enum kind kind = 0; kind < KINDS; kind++)
        measure(store, peer, kind, chunks);
    sqlite3_close(peer);
    store_close(store);
    return 0;
}
