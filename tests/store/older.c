#include "store/older.h"

#include "base/buf.h"

#include <unistd.h>

/* The tables as those versions made them, to the letter. */
#define RECIPE                                                                                 \
    "CREATE TABLE recipe(id INTEGER PRIMARY KEY CHECK(id=1), model TEXT NOT NULL, "            \
    "model_identity TEXT NOT NULL, dimension INTEGER NOT NULL, chunker TEXT NOT NULL, "        \
    "max_tokens INTEGER NOT NULL, overlap INTEGER NOT NULL) STRICT;"
#define STATE                                                                                  \
    "CREATE TABLE state(id INTEGER PRIMARY KEY CHECK(id=1), generation INTEGER NOT NULL, "     \
    "words_hash BLOB NOT NULL"
#define DOCUMENTS                                                                              \
    "CREATE TABLE documents(id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, " \
    "format TEXT NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL, "                        \
    "modified INTEGER NOT NULL, chunks INTEGER NOT NULL, chunks_hash BLOB NOT NULL, "          \
    "text_hash BLOB NOT NULL, text BLOB NOT NULL"
#define METADATA                                                                               \
    ", metadata TEXT NOT NULL DEFAULT '{}', metadata_hash BLOB NOT NULL DEFAULT "              \
    "x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'"
#define DOCUMENTS_3                                                                            \
    "CREATE TABLE collections(id INTEGER PRIMARY KEY AUTOINCREMENT, "                          \
    "name TEXT NOT NULL UNIQUE) STRICT;"                                                       \
    "CREATE TABLE documents(id INTEGER PRIMARY KEY AUTOINCREMENT, "                            \
    "collection INTEGER NOT NULL REFERENCES collections(id), path TEXT NOT NULL, "             \
    "format TEXT NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL, "                        \
    "modified INTEGER NOT NULL, first_chunk INTEGER NOT NULL, chunks INTEGER NOT NULL, "       \
    "chunks_hash BLOB NOT NULL, text_hash BLOB NOT NULL, metadata TEXT NOT NULL, "             \
    "metadata_hash BLOB NOT NULL, UNIQUE(collection, path)) STRICT;"                           \
    "CREATE TABLE texts(document INTEGER PRIMARY KEY REFERENCES documents(id), "               \
    "text BLOB NOT NULL) STRICT;"                                                              \
    "CREATE TABLE places(chunk INTEGER PRIMARY KEY REFERENCES chunks(id), "                    \
    "header_begin INTEGER NOT NULL, header_end INTEGER NOT NULL, place TEXT NOT NULL) STRICT;" \
    "CREATE TABLE token_weights(chunk INTEGER PRIMARY KEY REFERENCES chunks(id), "             \
    "weights BLOB NOT NULL) STRICT;"                                                           \
    "CREATE TABLE postings(token INTEGER NOT NULL, chunk INTEGER NOT NULL, "                   \
    "weight REAL NOT NULL, PRIMARY KEY(token, chunk)) STRICT, WITHOUT ROWID;"                  \
    "CREATE TABLE removals(generation INTEGER NOT NULL, first_chunk INTEGER NOT NULL, "        \
    "last_chunk INTEGER NOT NULL) STRICT;"                                                     \
    "CREATE TABLE generations(generation INTEGER PRIMARY KEY, mark INTEGER NOT NULL) STRICT;"
#define CHUNKS                                                                                 \
    "CREATE TABLE chunks(id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL "     \
    "REFERENCES documents(id), number INTEGER NOT NULL, begin_byte INTEGER NOT NULL, "         \
    "end_byte INTEGER NOT NULL, line INTEGER NOT NULL, last_line INTEGER NOT NULL, "           \
    "tokens INTEGER NOT NULL, hash BLOB NOT NULL, heading TEXT NOT NULL, "                     \
    "UNIQUE(document, number)) STRICT;"                                                        \
    "CREATE INDEX chunks_by_hash ON chunks(hash);"                                             \
    "CREATE TABLE vectors(chunk INTEGER PRIMARY KEY REFERENCES chunks(id), "                   \
    "vector BLOB NOT NULL) STRICT;"
#define PASSAGES(texts)                                                                        \
    "CREATE VIEW passages AS SELECT chunks.id AS id, heading, CAST(substr(text, "              \
    "begin_byte+1, end_byte-begin_byte) AS TEXT) AS text FROM chunks JOIN " texts              \
    "=chunks.document;"
#define WORDS                                                                                  \
    "CREATE VIRTUAL TABLE words USING fts5(heading, text, content='passages', "                \
    "content_rowid='id', tokenize='rag_words');"
static const char *const layouts[] = {
    NULL,
    RECIPE STATE ") STRICT;" DOCUMENTS ") STRICT;" CHUNKS PASSAGES("documents ON documents.id")
        WORDS "PRAGMA application_id=1380009833; PRAGMA user_version=1;",
    RECIPE STATE ") STRICT;" DOCUMENTS METADATA
                 ") STRICT;" CHUNKS PASSAGES("documents ON documents.id") WORDS
    "PRAGMA application_id=1380009833; PRAGMA user_version=2;",
    RECIPE STATE ", removals_from INTEGER NOT NULL) STRICT;" DOCUMENTS_3 CHUNKS PASSAGES(
        "texts ON texts.document") WORDS
    "PRAGMA application_id=1380009833; PRAGMA user_version=3;",
};
/* How a document's row of the newest version becomes one of an older. */
#define FROM_DOCUMENTS " FROM newer.documents JOIN newer.texts ON document=documents.id;"
static const char *const copies[] = {
    NULL,
    "INSERT INTO state SELECT id, generation, words_hash FROM newer.state; "
    "INSERT INTO documents SELECT documents.id, path, format, hash, size, modified, chunks, "
    "chunks_hash, text_hash, text" FROM_DOCUMENTS,
    "INSERT INTO state SELECT id, generation, words_hash FROM newer.state; "
    "INSERT INTO documents SELECT documents.id, path, format, hash, size, modified, chunks, "
    "chunks_hash, text_hash, text, metadata, metadata_hash" FROM_DOCUMENTS,
    "INSERT INTO state SELECT * FROM newer.state; "
    "INSERT INTO collections SELECT * FROM newer.collections; "
    "INSERT INTO documents SELECT * FROM newer.documents; "
    "INSERT INTO texts SELECT document, text FROM newer.texts; "
    "INSERT INTO removals SELECT * FROM newer.removals; "
    "INSERT INTO generations SELECT * FROM newer.generations;",
};

/* "damson" in a line of its own, which is all that the document's chunk has, and padding. */
static rag_status put_padded(struct store *store, const char *path, size_t padding,
                             rag_error *error)
{
    static const char line[] = "damson\n";
    struct buf text = BUF_INIT(sizeof line + padding);
    float vector[DIMENSION];
    assert_true(buf_append(&text, line, sizeof line - 1) && buf_reserve(&text, padding));
    memset(text.data + text.size, 'x', padding);
    text.size += padding;
    unit_vector(9, vector);
    struct store_chunk chunk = {.end = sizeof line - 2,
                                .line = 1,
                                .last_line = 1,
                                .tokens = 7,
                                .heading = "Chapter",
                                .hash = text_hash(line, sizeof line - 2),
                                .vector = vector};
    struct store_document document = {.path = path,
                                      .format = "text",
                                      .hash = text_hash(text.data, text.size),
                                      .size = text.size,
                                      .modified = 1,
                                      .text = {text.data, text.size}};
    rag_status status = store_put(store, &document, &chunk, 1, error);
    buf_release(&text);
    return status;
}

void make_older(struct fixture *f, unsigned version, size_t padding)
{
    store_close(f->store);
    unlink(f->path);
    assert_ok(store_open(f->path, true, &f->store, &f->error), &f->error);
    assert_ok(store_set_recipe(f->store, &fixture_recipe, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/a", "apple\nbanana\ncherry\n", 1, &f->error), &f->error);
    assert_ok(put_padded(f->store, "/b", padding, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/gone", "fig\n", 17, &f->error), &f->error);
    assert_ok(store_remove(f->store, NULL, (const char *const[]){"/gone"}, 1, NULL, &f->error),
              &f->error);
    store_close(f->store);
    f->store = NULL;
    char newer[160], sql[2048];
    snprintf(newer, sizeof newer, "%s/newer.rag", f->folder);
    assert_int_equal(rename(f->path, newer), 0);
    tamper(f, layouts[version]);
    snprintf(sql, sizeof sql,
             "ATTACH '%s' AS newer; INSERT INTO recipe SELECT * FROM newer.recipe; "
             "%s "
             "INSERT INTO chunks SELECT * FROM newer.chunks; "
             "INSERT INTO vectors SELECT * FROM newer.vectors; "
             "DELETE FROM sqlite_sequence; "
             "INSERT INTO sqlite_sequence SELECT * FROM newer.sqlite_sequence "
             "WHERE name<>'collections' OR %u>2; "
             "INSERT INTO words(words) VALUES('rebuild')",
             newer, copies[version], version);
    tamper(f, sql);
    assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
    assert_int_equal(counts(f->store).format, version);
}
