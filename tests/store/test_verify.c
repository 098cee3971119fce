/* verify names each kind of damage, and nothing else. */
#define _XOPEN_SOURCE 700
#include "store/fixture.h"

#include "base/buf.h"
#include "base/file.h"

static void note(const struct store_problem *problem, void *user)
{
    assert_true(buf_append_text(user, problem->sentence));
    assert_true(buf_append_char(user, '\n'));
}

/* Each damage by SQL, and what one of the sentences about it says. */
static const struct {
    const char *sql, *says;
} damages[] = {
    {"UPDATE texts SET text=CAST(replace(text, 'b', 'c') AS BLOB)", "stored text"},
    {"UPDATE texts SET text=CAST(text||x'ff' AS BLOB)", "not UTF-8"},
    {"UPDATE documents SET text_hash=zeroblob(32)", "stored text"},
    {"UPDATE documents SET hash=x'00'", "hash of its file"},
    {"UPDATE documents SET metadata='{\"a\":2}'", "metadata are not what was put in"},
    {"UPDATE documents SET metadata='{}{'", "metadata are not JSON"},
    {"UPDATE documents SET metadata='[]'", "not a JSON object"},
    {"UPDATE documents SET metadata=CAST(x'7b7d00' AS TEXT)", "zero byte"},
    {"UPDATE documents SET metadata_hash=zeroblob(32)", "metadata are not what was put in"},
    {"UPDATE documents SET chunks=9", "instead of 9"},
    {"UPDATE documents SET chunks_hash=zeroblob(31)", "not what was put in"},
    {"UPDATE documents SET first_chunk=2", "has the id 1 instead of 2"},
    {"DELETE FROM texts", "its text is missing"},
    {"PRAGMA foreign_keys=OFF; UPDATE documents SET collection=7", "not there"},
    {"PRAGMA foreign_keys=OFF; INSERT INTO texts VALUES(7, 7, 0, x'')", "not there"},
    {"UPDATE texts SET begin_byte=1", "stored text"},
    {"INSERT INTO texts VALUES(7, 1, 3, x'58')", "stored text"},
    {"INSERT INTO unfinished VALUES(1, 'default', '/a', 0)", "hidden and not unfinished"},
    {"UPDATE collections SET name=char(1)||'hidden'", "hidden and not unfinished"},
    {"PRAGMA foreign_keys=OFF; INSERT INTO unfinished VALUES(7, 'default', '/a', 0)",
     "not there"},
    {"INSERT INTO places VALUES(1, 0, 0, 'page 7')", "not what was put in"},
    {"INSERT INTO places VALUES(1, 0, 1000, '')", "place of chunk 1"},
    {"PRAGMA foreign_keys=OFF; INSERT INTO places VALUES(77, 0, 0, '')", "not there"},
    {"INSERT INTO token_weights VALUES(1, zeroblob(8))", "not what was put in"},
    {"INSERT INTO token_weights VALUES(1, zeroblob(8))",
     "token weights of chunk 1 are damaged"},
    {"INSERT INTO token_weights VALUES(1, x'010000000000803f')", "postings of tokens"},
    {"INSERT INTO postings VALUES(1, 1, 0.5)", "postings of tokens"},
    {"INSERT INTO removals VALUES(9, 1, 1)", "the log of removals"},
    {"INSERT INTO removals VALUES(1, 2, 1)", "the log of removals"},
    {"UPDATE state SET removals_from=9", "the log of removals"},
    {"UPDATE chunks SET begin_byte=1000 WHERE id=1", "place of chunk 1"},
    {"UPDATE chunks SET begin_byte=-1 WHERE id=1", "place of chunk 1"},
    {"UPDATE chunks SET end_byte=begin_byte-1 WHERE id=2", "place of chunk 2"},
    {"UPDATE chunks SET end_byte=end_byte-1 WHERE id=3", "place of chunk 3"},
    {"UPDATE chunks SET begin_byte=begin_byte+1 WHERE id=1", "not what was put in"},
    {"UPDATE chunks SET line=0 WHERE id=1", "place of chunk 1"},
    {"UPDATE chunks SET last_line=99 WHERE id=1", "place of chunk 1"},
    {"UPDATE chunks SET line=2, last_line=2 WHERE id=1", "not what was put in"},
    {"UPDATE chunks SET tokens=8 WHERE id=1", "not what was put in"},
    {"UPDATE chunks SET heading='Other' WHERE id=1", "not what was put in"},
    {"UPDATE chunks SET heading='Other' WHERE id=1", "words in the lexical index"},
    {"UPDATE chunks SET hash=zeroblob(32) WHERE id=1", "not what was put in"},
    {"UPDATE chunks SET hash=zeroblob(2) WHERE id=1", "place of chunk 1"},
    {"UPDATE chunks SET number=7 WHERE id=1", "chunk 0 is missing"},
    {"DELETE FROM vectors WHERE chunk=1; DELETE FROM chunks WHERE id=1", "instead of 3"},
    {"DELETE FROM vectors WHERE chunk=2", "chunk 2 has no vector"},
    {"UPDATE vectors SET vector=zeroblob(15) WHERE chunk=2", "15 bytes instead of 16"},
    {"UPDATE vectors SET vector=zeroblob(16) WHERE chunk=2", "norm 1"},
    {"UPDATE vectors SET vector=x'0000c07f000000000000000000000000' WHERE chunk=2", "norm 1"},
    {"UPDATE vectors SET vector=(SELECT vector FROM vectors WHERE chunk=1) WHERE chunk=2",
     "not what was put in"},
    {"PRAGMA foreign_keys=OFF; INSERT INTO vectors VALUES(77, zeroblob(16))", "not there"},
    {"PRAGMA foreign_keys=OFF; DELETE FROM documents", "not there"},
    {"DELETE FROM recipe", "no recipe"},
    {"UPDATE recipe SET dimension=0", "makes no sense"},
    {"UPDATE recipe SET chunker='axe'", "makes no sense"},
    {"DELETE FROM state", "\"state\""},
    {"INSERT INTO words(words, rowid, heading, text) VALUES('delete', 1, 'Chapter', 'alpha')",
     "chunk 1: its words"},
    {"INSERT INTO words(rowid, heading, text) VALUES(99, 'Chapter', 'stray')",
     "2 words of chunks that are not there"},
    {"INSERT INTO words(rowid, heading, text) VALUES(1, '', 'more')", "chunk 1: its words"},
    {"DELETE FROM words_data WHERE id=1", "lexical index"},
    {"DELETE FROM words_docsize WHERE id=2", "FTS5's own check"},
    {"DELETE FROM words_data WHERE id>10", "lexical index"},
};

static void each_damage_is_named(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "alpha\nbeta beta\ngamm\xc3\xa4\n", 1, &f->error),
              &f->error);
    assert_whole(f->store);
    store_close(f->store);
    f->store = NULL;
    struct buf whole = BUF_INIT(16 << 20), said = BUF_INIT(1 << 20);
    assert_ok(file_read(f->path, &whole, &f->error), &f->error);
    bool missed = false;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        assert_ok(file_write(f->path, whole.data, whole.size, &f->error), &f->error);
        tamper(f, damages[i].sql);
        assert_ok(store_open(f->path, false, &f->store, &f->error), &f->error);
        buf_clear(&said);
        assert_status(RAG_INDEX, store_verify(f->store, note, &said, NULL, &f->error),
                      &f->error);
        assert_says(&f->error, "problem");
        store_close(f->store);
        f->store = NULL;
        if (!said.size || !strstr(said.data, damages[i].says)) {
            print_error("%s\n  does not say \"%s\" but: %s\n", damages[i].sql, damages[i].says,
                        said.size ? said.data : "");
            missed = true;
        }
    }
    buf_release(&whole);
    buf_release(&said);
    assert_false(missed);
}

static void a_mended_file_is_whole_again(void **state)
{
    struct fixture *f = *state;
    assert_ok(put_lines(f->store, "/a", "alpha\nbeta\n", 1, &f->error), &f->error);
    tamper(f, "UPDATE vectors SET vector=zeroblob(16)");
    assert_status(RAG_INDEX, store_verify(f->store, NULL, NULL, NULL, &f->error), &f->error);
    assert_ok(put_lines(f->store, "/a", "alpha\nbeta\n", 1, &f->error), &f->error);
    assert_whole(f->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_damage_is_named),
        TEST(a_mended_file_is_whole_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
