/* script.h - a run of changes to a small index, and what the index must hold after each. */
#ifndef RAG_TESTS_STORE_SCRIPT_H
#define RAG_TESTS_STORE_SCRIPT_H

#include "store/fixture.h"

enum { SCRIPT_PATHS = 5, SCRIPT_ABSENT = 0 };

/* Which version of each path's document there is; SCRIPT_ABSENT: none. */
struct script_state {
    unsigned version[SCRIPT_PATHS];
};

/* The steps, one transaction each but for a document that grows: the first makes the file. */
size_t script_steps(void);
const char *script_name(size_t step);

/* What must be there before a step; of script_steps(): at the end. */
struct script_state script_before(size_t step);

/* Runs one step. The file must be open but for the first step, which opens it. */
rag_status script_run(size_t step, const char *path, struct store **store, rag_error *error);

/* What is there, byte for byte what was put in; a document that is anything else, or anything
 * that verify finds, fails the test. A store that has no recipe yet holds nothing. */
struct script_state script_look(struct store *store);

bool script_equal(const struct script_state *a, const struct script_state *b);

#endif
