#include "readers/xml.h"

#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 20 };

struct parsing {
    const struct xml_handler *handler;
    void *user;
    XML_Parser parser;
    unsigned depth;
    const char *refused;
};

static const char *local(const char *name)
{
    const char *colon = strchr(name, ':');
    return colon ? colon + 1 : name;
}

static void refuse(struct parsing *p, const char *why)
{
    p->refused = why;
    XML_StopParser(p->parser, XML_FALSE);
}

static void XMLCALL on_start(void *user, const XML_Char *name, const XML_Char **attributes)
{
    struct parsing *p = user;
    if (++p->depth > XML_MAX_DEPTH)
        refuse(p, "elements are nested too deeply");
    else
        p->handler->start(p->user, local(name), attributes);
    if (p->handler->stop && p->handler->stop(p->user))
        XML_StopParser(p->parser, XML_FALSE);
}

static void XMLCALL on_end(void *user, const XML_Char *name)
{
    struct parsing *p = user;
    p->depth--;
    p->handler->end(p->user, local(name));
}

static void XMLCALL on_text(void *user, const XML_Char *text, int size)
{
    struct parsing *p = user;
    p->handler->text(p->user, text, (size_t)size);
}

static void XMLCALL on_doctype(void *user, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int internal)
{
    (void)name, (void)system, (void)public, (void)internal;
    refuse(user, "it has a document type");
}

rag_status xml_parse(rag_text xml, const struct xml_handler *handler, void *user,
                     rag_error *error)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    if (!parser)
        return fail_memory(error);
    struct parsing p = {.handler = handler, .user = user, .parser = parser};
    XML_SetUserData(parser, &p);
    XML_SetElementHandler(parser, on_start, on_end);
    if (handler->text)
        XML_SetCharacterDataHandler(parser, on_text);
    XML_SetStartDoctypeDeclHandler(parser, on_doctype);
    rag_status status = RAG_OK;
    for (size_t at = 0; !status;) {
        size_t n = xml.size - at < PIECE ? xml.size - at : PIECE;
        bool last = at + n == xml.size;
        if (XML_Parse(parser, xml.data + at, (int)n, last) != XML_STATUS_OK) {
            enum XML_Error code = XML_GetErrorCode(parser);
            if (code == XML_ERROR_NO_MEMORY)
                status = fail_memory(error);
            else if (code != XML_ERROR_ABORTED || p.refused)
                status = fail_with(error, RAG_INPUT, "XML at line %lu: %s",
                                   (unsigned long)XML_GetCurrentLineNumber(parser),
                                   p.refused ? p.refused : XML_ErrorString(code));
            break;
        }
        at += n;
        if (last)
            break;
    }
    XML_ParserFree(parser);
    return status;
}

bool xml_is(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

const char *xml_attribute(const char **attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (strcmp(local(attributes[0]), name) == 0)
            return attributes[1];
    return NULL;
}

unsigned long xml_number(const char **attributes, const char *name, unsigned long otherwise)
{
    const char *value = xml_attribute(attributes, name);
    if (!value || *value < '0' || *value > '9')
        return otherwise;
    unsigned long number = strtoul(value, NULL, 10);
    return number == ULONG_MAX ? otherwise : number;
}
