#define _XOPEN_SOURCE 700
#include "pipeline/ahead.h"
#include "base/memory.h"

#include <signal.h>
#include <unistd.h>

enum {
    SLOTS = 128,
    BYTES = 1 << 25, /* of files, in all slots; a larger one comes alone */
    THREADS = 4,     /* at most */
};

struct slot {
    struct reading reading;
    uint64_t size;
    bool done;
};

struct ahead {
    struct reading_rules *rules;
    struct slot slots[SLOTS]; /* number n is in n % SLOTS */
    size_t taken, begun, pushed;
    uint64_t bytes; /* of those pushed and not taken */
    pthread_t threads[THREADS];
    size_t wanted, running; /* threads */
    bool stop;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
};

static size_t cores(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > THREADS ? THREADS : (size_t)count;
}

rag_status ahead_start(struct reading_rules *rules, struct ahead **out, rag_error *error)
{
    size_t most = rules->index->options.models.threads;
    struct ahead *ahead = *out = alloc_zeroed(1, sizeof *ahead);
    if (!ahead)
        return fail_memory(error);
    ahead->rules = rules;
    ahead->wanted = most && most < cores() ? most : cores();
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->work, NULL);
    pthread_cond_init(&ahead->done, NULL);
    return RAG_OK;
}

static void *work(void *data)
{
    struct ahead *ahead = data;
    pthread_mutex_lock(&ahead->lock);
    for (;;) {
        while (!ahead->stop && ahead->begun == ahead->pushed)
            pthread_cond_wait(&ahead->work, &ahead->lock);
        if (ahead->stop)
            break;
        struct slot *slot = &ahead->slots[ahead->begun++ % SLOTS];
        pthread_mutex_unlock(&ahead->lock);
        reading_run(ahead->rules, &slot->reading);
        pthread_mutex_lock(&ahead->lock);
        slot->done = true;
        pthread_cond_signal(&ahead->done);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

/* Signals are for the caller's threads. */
static bool start_thread(struct ahead *ahead)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&ahead->threads[ahead->running], NULL, work, ahead) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void ahead_stop(struct ahead *ahead)
{
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->stop = true;
    pthread_cond_broadcast(&ahead->work);
    pthread_mutex_unlock(&ahead->lock);
    for (size_t i = 0; i < ahead->running; i++)
        pthread_join(ahead->threads[i], NULL);
    for (size_t i = 0; i < SLOTS; i++)
        reading_release(&ahead->slots[i].reading);
    pthread_cond_destroy(&ahead->done);
    pthread_cond_destroy(&ahead->work);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
}

bool ahead_has_room(const struct ahead *ahead)
{
    return !ahead_has_more(ahead) ||
           (ahead->pushed - ahead->taken < SLOTS && ahead->bytes < BYTES);
}

void ahead_push(struct ahead *ahead, const char *path, const struct known_document *known,
                uint64_t size)
{
    struct slot *slot = &ahead->slots[ahead->pushed % SLOTS];
    *slot = (struct slot){.reading = {.path = path, .known = known}, .size = size};
    ahead->bytes += size;
    /* One thread a file, until there are enough; without any, the caller's does it. */
    if (ahead->running < ahead->wanted && start_thread(ahead))
        ahead->running++;
    pthread_mutex_lock(&ahead->lock);
    ahead->pushed++;
    pthread_cond_signal(&ahead->work);
    pthread_mutex_unlock(&ahead->lock);
}

bool ahead_has_more(const struct ahead *ahead)
{
    return ahead->taken < ahead->pushed;
}

struct reading *ahead_take(struct ahead *ahead)
{
    struct slot *slot = &ahead->slots[ahead->taken++ % SLOTS];
    ahead->bytes -= slot->size;
    if (!ahead->running) {
        ahead->begun++;
        reading_run(ahead->rules, &slot->reading);
        return &slot->reading;
    }
    pthread_mutex_lock(&ahead->lock);
    while (!slot->done)
        pthread_cond_wait(&ahead->done, &ahead->lock);
    pthread_mutex_unlock(&ahead->lock);
    return &slot->reading;
}
