/* answer.c - the parts of an answer that need no language model. */
#include "pipeline/answer.h"
#include "base/buf.h"
#include "base/memory.h"
#include "pipeline/cite.h"
#include "text/utf8.h"

#include <string.h>

enum { QUOTED_PASSAGES = 3 };

void rag_answer_free(rag_answer *answer)
{
    if (!answer)
        return;
    free(answer->text);
    free(answer->llm);
    free(answer->question);
    free(answer->markers);
    free(answer->citations);
    statements_release(&answer->statements);
    rag_hits_free(answer->hits);
    free(answer);
}

rag_status answer_copy_text(rag_text text, char **out, size_t *size, rag_error *error)
{
    char *copy = alloc_array(text.size + 1, 1);
    if (!copy)
        return fail_memory(error);
    memcpy(copy, text.size ? text.data : "", text.size);
    copy[text.size] = '\0';
    *out = copy;
    *size = text.size;
    return RAG_OK;
}

static uint32_t count_lines(const char *text, size_t size)
{
    uint32_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return lines;
}

rag_status answer_cite(rag_answer *answer, size_t hit, rag_text statement, rag_error *error)
{
    const rag_chunk *chunk = &answer->hits->items[hit].chunk;
    size_t begin, end;
    rag_status status = find_quote(chunk->text, statement, &begin, &end, error);
    if (status)
        return status;
    for (size_t i = 0; i < answer->citation_count; i++)
        if (answer->citations[i].hit == hit &&
            answer->citations[i].begin == chunk->begin + begin)
            return RAG_OK;
    if (!array_reserve(&answer->citations, &answer->citation_capacity,
                       answer->citation_count + 1, sizeof *answer->citations))
        return fail_memory(error);
    uint32_t line = chunk->line + count_lines(chunk->text.data, begin);
    answer->citations[answer->citation_count++] = (rag_citation){
        .number = hit + 1,
        .hit = hit,
        .quote = {chunk->text.data + begin, end - begin},
        .begin = chunk->begin + begin,
        .end = chunk->begin + end,
        .line = line,
        .last_line = line + count_lines(chunk->text.data + begin, end - begin),
    };
    return RAG_OK;
}

rag_status answer_check(rag_answer *answer, rag_error *error)
{
    size_t count = answer->hits->count;
    struct buf *passages = alloc_zeroed(count, sizeof *passages);
    rag_text *texts = alloc_array(count, sizeof *texts);
    rag_status status = passages && texts ? RAG_OK : fail_memory(error);
    for (size_t i = 0; !status && i < count; i++) {
        const rag_chunk *chunk = &answer->hits->items[i].chunk;
        passages[i] = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
        if (!buf_append_text(&passages[i], chunk->heading) ||
            !buf_append_char(&passages[i], '\n') ||
            !buf_append(&passages[i], chunk->text.data, chunk->text.size))
            status = fail_memory(error);
        texts[i] = (rag_text){passages[i].data, passages[i].size};
    }
    if (!status)
        status = support_check((rag_text){answer->text, answer->text_size}, answer->markers,
                               answer->marker_count, texts, count, &answer->statements, error);
    for (size_t i = 0; passages && i < count; i++)
        buf_release(&passages[i]);
    free(passages);
    free(texts);
    return status;
}

/* Shows the text to a caller who takes it in pieces. */
static rag_status show(const rag_answer *answer, const rag_chat_options *chat, rag_error *error)
{
    rag_text text = {answer->text, answer->text_size};
    if (chat->on_text && chat->on_text(text, chat->user))
        return fail_with(error, RAG_INTERRUPTED, "stopped");
    return RAG_OK;
}

rag_status answer_quote(rag_answer *answer, const rag_chat_options *chat, rag_error *error)
{
    struct buf text = BUF_INIT((size_t)1 << 24);
    rag_text question = {answer->question, answer->question_size};
    rag_status status = RAG_OK;
    hits_truncate(answer->hits, QUOTED_PASSAGES);
    for (size_t i = 0; !status && i < answer->hits->count; i++)
        status = answer_cite(answer, i, question, error);
    for (size_t i = 0; !status && i < answer->citation_count; i++) {
        const rag_citation *citation = &answer->citations[i];
        if (!buf_append_text(&text, i ? "\n\n" : "") ||
            !buf_append(&text, citation->quote.data, citation->quote.size) ||
            !buf_append_char(&text, ' ') ||
            !array_reserve(&answer->markers, &answer->marker_capacity, i + 1,
                           sizeof *answer->markers) ||
            !buf_printf(&text, "[%zu]", citation->number)) {
            status = fail_memory(error);
            break;
        }
        answer->markers[answer->marker_count++] =
            (struct marker){citation->number, text.size - marker_size(citation->number)};
    }
    answer->text_size = text.size;
    answer->text = buf_detach(&text);
    if (!status && !answer->text)
        status = fail_memory(error);
    return status ? status : show(answer, chat, error);
}

/* Ranges of code points that tell a language, the first that is met deciding: kana before
 * Han, since Japanese uses both. */
static const struct {
    int32_t first, last;
    const char *refusal;
} scripts[] = {
    {0x3040, 0x30ff, "文書の中にこの質問への答えは見つかりませんでした。"},
    {0xac00, 0xd7a3, "문서에서 이 질문에 대한 답을 찾지 못했습니다."},
    {0x3400, 0x9fff, "文档中没有找到这个问题的答案。"},
    {0x0400, 0x04ff, "В документах нет ответа на этот вопрос."},
    {0x0600, 0x06ff, "لا تحتوي المستندات على إجابة لهذا السؤال."},
    {0x0590, 0x05ff, "במסמכים אין תשובה לשאלה הזאת."},
    {0x0370, 0x03ff, "Τα έγγραφα δεν απαντούν σε αυτή την ερώτηση."},
    {0x0900, 0x097f, "दस्तावेज़ों में इस प्रश्न का उत्तर नहीं मिला।"},
    {0x0e00, 0x0e7f, "ไม่พบคำตอบของคำถามนี้ในเอกสาร"},
};

static const char *refusal_for(rag_text question)
{
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        for (size_t at = 0; at < question.size;) {
            size_t length;
            int32_t c = utf8_decode(question.data + at, question.size - at, &length);
            at += length;
            if (c >= scripts[i].first && c <= scripts[i].last)
                return scripts[i].refusal;
        }
    return "The documents do not answer this question.";
}

rag_status answer_refuse(rag_answer *answer, const rag_chat_options *chat, rag_error *error)
{
    const char *text = refusal_for((rag_text){answer->question, answer->question_size});
    answer->found = false;
    rag_status status = answer_copy_text((rag_text){text, strlen(text)}, &answer->text,
                                         &answer->text_size, error);
    return status ? status : show(answer, chat, error);
}

rag_text rag_answer_text(const rag_answer *answer)
{
    return (rag_text){answer->text, answer->text_size};
}

const char *rag_answer_llm(const rag_answer *answer)
{
    return answer->llm;
}

size_t rag_answer_citation_count(const rag_answer *answer)
{
    return answer->citation_count;
}

const rag_citation *rag_answer_citation(const rag_answer *answer, size_t i)
{
    return i < answer->citation_count ? &answer->citations[i] : NULL;
}

size_t rag_answer_statement_count(const rag_answer *answer)
{
    return answer->statements.count;
}

const rag_statement *rag_answer_statement(const rag_answer *answer, size_t i)
{
    return i < answer->statements.count ? &answer->statements.items[i] : NULL;
}

const char *rag_support_name(rag_support support)
{
    static const char *const names[] = {"supported", "weak", "unsupported", "uncited",
                                        "unchecked"};
    return (size_t)support < sizeof names / sizeof *names ? names[support] : "";
}

size_t rag_answer_dropped(const rag_answer *answer)
{
    return answer->dropped;
}

const rag_hits *rag_answer_hits(const rag_answer *answer)
{
    return answer->hits;
}

rag_text rag_answer_question(const rag_answer *answer)
{
    return (rag_text){answer->question, answer->question_size};
}

double rag_answer_evidence(const rag_answer *answer)
{
    return answer->evidence;
}

int rag_answer_found(const rag_answer *answer)
{
    return answer->found;
}

void rag_answer_get_usage(const rag_answer *answer, rag_usage *usage)
{
    *usage = answer->usage;
}
