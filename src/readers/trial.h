/* trial.h - what a worker may not do, tried: the proof that the sandbox holds. */
#ifndef RAG_READERS_TRIAL_H
#define RAG_READERS_TRIAL_H

/* Shuts the process in as a worker and does what `deed` names: 0 if that was possible, 1 if it
 * failed, and it may end by a signal; 2: there is no such deed. */
int trial(const char *deed);

#endif
