/* How well src/pipeline/support.h tells what a passage bears out:
 *
 *   bench_support SET...
 *
 * SET is a folder as rag eval takes it. Each question, without its mark, is read as a statement
 * that cites the passage which answers it, and once more citing the passage behind that one in
 * the set, which is of the same article as a rule. A line of JSON a set: the shares of both
 * that are supported, weak and unsupported. */
#include "pipeline/support.h"
#include "base/buf.h"
#include "pipeline/evalset.h"

#include <stdio.h>
#include <string.h>

enum { KINDS = 3 /* RAG_SUPPORTED, RAG_WEAK, RAG_UNSUPPORTED */ };

static rag_status judge(rag_text statement, const struct eval_text *passage,
                        size_t counts[KINDS], rag_error *error)
{
    rag_text text = {passage->text, passage->size};
    struct statements statements = {0};
    struct marker marker = {1, statement.size - marker_size(1)};
    rag_status status = support_check(statement, &marker, 1, &text, 1, &statements, error);
    rag_support worst = RAG_SUPPORTED;
    for (size_t i = 0; i < statements.count; i++)
        if (statements.items[i].support <= RAG_UNSUPPORTED &&
            statements.items[i].support > worst)
            worst = statements.items[i].support;
    counts[worst]++;
    statements_release(&statements);
    return status;
}

static bool make_statement(const struct eval_text *question, struct buf *out)
{
    size_t size = question->size;
    if (size && question->text[size - 1] == '?')
        size--;
    else if (size >= 3 && memcmp(question->text + size - 3, "？", 3) == 0)
        size -= 3;
    buf_clear(out);
    return buf_append(out, question->text, size) && buf_append_text(out, " [1]");
}

static rag_status measure(const char *folder, rag_error *error)
{
    struct eval_set set;
    size_t right[KINDS] = {0}, other[KINDS] = {0}, pairs = 0;
    struct buf statement = BUF_INIT(1 << 20);
    rag_status status = eval_set_read(folder, &set, error);
    if (status)
        return status;
    for (size_t i = 0; !status && i < set.qrel_count; i++) {
        const struct eval_qrel *qrel = &set.qrels[i];
        if (qrel->grade <= 0)
            continue;
        if (!make_statement(&set.queries.items[qrel->query], &statement)) {
            status = fail_memory(error);
            break;
        }
        rag_text text = {statement.data, statement.size};
        size_t next = (qrel->passage + 1) % set.passages.count;
        status = judge(text, &set.passages.items[qrel->passage], right, error);
        if (!status)
            status = judge(text, &set.passages.items[next], other, error);
        pairs++;
    }
    double n = pairs ? (double)pairs : 1;
    if (!status)
        printf("{\"set\":\"%s\",\"pairs\":%zu,\"right\":[%.3f,%.3f,%.3f],\"other\":[%.3f,%.3f,"
               "%.3f]}\n",
               folder, pairs, (double)right[0] / n, (double)right[1] / n, (double)right[2] / n,
               (double)other[0] / n, (double)other[1] / n, (double)other[2] / n);
    buf_release(&statement);
    eval_set_release(&set);
    return status;
}

int main(int argc, char **argv)
{
    rag_error error;
    for (int i = 1; i < argc; i++)
        if (measure(argv[i], &error)) {
            fprintf(stderr, "%s\n", error.message);
            return 1;
        }
    return argc < 2 ? 2 : 0;
}
