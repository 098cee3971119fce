/* Finding the files below the paths that a user names. */
#include "documents/walk.h"
#include "base/file.h"
#include "base/memory.h"
#include "documents/document.h"
#include "documents/gitignore.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum {
    WALK_MAX_DEPTH = 1024,       /* folders in folders; a path has 4096 bytes at most */
    WALK_EVENT_EVERY = 256,      /* entries between two progress events */
    WALK_MAX_GIT_FILE = 1 << 13, /* bytes of a ".git" that is a file */
};

struct walk {
    const struct events *events;
    const struct walk_hooks *hooks;
    struct file_list *out;
    size_t *skipped;
    struct gitignore ignore;
    uint64_t seen;
};

void file_list_release(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    free(list->paths);
    *list = (struct file_list){0};
}

bool file_list_add(struct file_list *list, const char *path)
{
    char *copy = strdup(path);
    if (!copy ||
        !array_reserve(&list->paths, &list->capacity, list->count + 1, sizeof *list->paths)) {
        free(copy);
        return false;
    }
    list->paths[list->count++] = copy;
    return true;
}

static rag_status take(struct walk *w, const char *path, rag_error *error)
{
    return file_list_add(w->out, path) ? RAG_OK : fail_memory(error);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void file_list_sort(struct file_list *list)
{
    if (list->count == 0)
        return;
    qsort(list->paths, list->count, sizeof *list->paths, by_bytes);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++) {
        if (strcmp(list->paths[i], list->paths[kept - 1]) == 0)
            free(list->paths[i]);
        else
            list->paths[kept++] = list->paths[i];
    }
    list->count = kept;
}

/* ---- A part of what is there ---- */

/* The first path that does not sort before `path`. */
static size_t lower_bound(const struct file_list *list, const char *path)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(list->paths[middle], path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* `path`, and each folder above it, is looked for: "a.md" may sort between "a" and "a/b". */
bool file_list_covers(const struct file_list *list, const char *path)
{
    char *above = strdup(path);
    bool covered = !above; /* out of memory: more is looked at than need be */
    while (above && !covered && *above) {
        size_t i = lower_bound(list, above);
        covered = i < list->count && strcmp(list->paths[i], above) == 0;
        *strrchr(above, '/') = '\0';
    }
    free(above);
    return covered || (list->count && strcmp(list->paths[0], "/") == 0);
}

/* Whether one of the paths lies below this one. */
static bool leads_to(const struct file_list *list, const char *path)
{
    char *below = path_join(path, "");
    if (!below)
        return true;
    size_t i = lower_bound(list, below), size = strlen(below);
    bool leads = i < list->count && strncmp(list->paths[i], below, size) == 0;
    free(below);
    return leads;
}

static bool is_outside(const struct walk *w, const char *path)
{
    const struct file_list *within = w->hooks->within;
    return within && !file_list_covers(within, path) && !leads_to(within, path);
}

/* ---- Patterns --------------------------------------------------------------- */

/* A pattern file that cannot be read is told and passed over. */
static rag_status load_patterns(struct walk *w, const char *folder, const char *name,
                                rag_error *error)
{
    char *path = path_join(folder, name);
    if (!path)
        return fail_memory(error);
    rag_error own;
    rag_status status =
        gitignore_load(&w->ignore, strcmp(folder, "/") == 0 ? "" : folder, path, &own);
    if (status == RAG_INPUT) {
        event_warning(w->events, "%s; its patterns are not followed", own.message);
        status = RAG_OK;
    } else if (status) {
        status = fail_memory(error);
    }
    free(path);
    return status;
}

/* Where the repository keeps info/exclude: ".git" itself, or for a work tree or a
 * submodule what the file ".git" names ("gitdir: PATH"), and from there "commondir". */
static char *git_folder(const char *dot_git)
{
    if (path_is_directory(dot_git))
        return strdup(dot_git);
    static const char key[] = "gitdir: ";
    struct buf text = BUF_INIT(WALK_MAX_GIT_FILE);
    char *folder = NULL;
    if (file_read(dot_git, &text, NULL) == RAG_OK && text.size > sizeof key &&
        memcmp(text.data, key, sizeof key - 1) == 0) {
        text.data[strcspn(text.data, "\r\n")] = 0;
        char *parent = strndup(dot_git, (size_t)(path_name(dot_git) - dot_git));
        char *git = parent ? path_join(parent, text.data + sizeof key - 1) : NULL;
        char *common_file = git ? path_join(git, "commondir") : NULL;
        buf_clear(&text);
        if (common_file && file_read(common_file, &text, NULL) == RAG_OK && text.size) {
            text.data[strcspn(text.data, "\r\n")] = 0;
            folder = path_join(git, text.data);
        } else if (git) {
            folder = strdup(git);
        }
        free(common_file), free(git), free(parent);
    }
    buf_release(&text);
    return folder;
}

static rag_status load_repository_excludes(struct walk *w, const char *root,
                                           const char *dot_git, rag_error *error)
{
    char *git = git_folder(dot_git);
    char *exclude = git ? path_join(git, "info/exclude") : NULL;
    rag_status status = exclude ? load_patterns(w, root, exclude, error) : RAG_OK;
    free(exclude), free(git);
    return status;
}

/* The length of the repository's root in `folder`, an absolute path; 0: there is none. */
static rag_status find_repository(const char *folder, size_t *root_size, char **dot_git,
                                  rag_error *error)
{
    *root_size = 0;
    *dot_git = NULL;
    for (size_t n = strlen(folder); n > 0;) {
        char *root = strndup(folder, n);
        char *git = root ? path_join(root, ".git") : NULL;
        free(root);
        if (!git)
            return fail_memory(error);
        if (path_is_directory(git) || path_is_file(git)) {
            *root_size = n;
            *dot_git = git;
            return RAG_OK;
        }
        free(git);
        while (n > 0 && folder[n - 1] != '/')
            n--;
        n -= n > 0;
    }
    return RAG_OK;
}

/* The patterns of the repository around a folder, from its root down to above it. */
static rag_status load_surroundings(struct walk *w, const char *folder, rag_error *error)
{
    size_t n;
    char *dot_git;
    rag_status status = find_repository(folder, &n, &dot_git, error);
    if (status || n == 0)
        return status;
    for (bool first = true; !status; first = false) {
        char *parent = strndup(folder, n);
        if (!parent) {
            status = fail_memory(error);
            break;
        }
        if (first)
            status = load_repository_excludes(w, parent, dot_git, error);
        if (!status && folder[n] == '/')
            status = load_patterns(w, parent, ".gitignore", error);
        free(parent);
        if (folder[n] == 0)
            break;
        n += 1 + strcspn(folder + n + 1, "/");
    }
    free(dot_git);
    return status;
}

/* ---- Folders ---------------------------------------------------------------- */

struct names {
    char **list;
    size_t count, capacity;
};

static void names_release(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
}

static void skip(struct walk *w, const char *path, const char *reason)
{
    event_warning(w->events, "%s: %s; it is skipped", path, reason);
    if (w->hooks->on_skip)
        w->hooks->on_skip(path, reason, w->hooks->user);
    (*w->skipped)++;
}

/* The names in a folder but the hidden ones. All are read before any is looked at, so
 * that no more than one folder is open at a time. */
static rag_status read_names(struct walk *w, const char *folder, struct names *names,
                             rag_error *error)
{
    DIR *directory = opendir(folder);
    if (!directory) {
        skip(w, folder, strerror(errno));
        return RAG_OK;
    }
    rag_status status = RAG_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry)
            break;
        if (entry->d_name[0] == '.')
            continue;
        char *name = strdup(entry->d_name);
        if (!name || !array_reserve(&names->list, &names->capacity, names->count + 1,
                                    sizeof *names->list)) {
            free(name);
            status = fail_memory(error);
            break;
        }
        names->list[names->count++] = name;
    }
    if (!status && errno)
        skip(w, folder, strerror(errno));
    closedir(directory);
    return status;
}

enum entry_kind { ENTRY_OTHER, ENTRY_FILE, ENTRY_FOLDER };

/* A link to a file counts as the file; one to a folder is not followed. */
static enum entry_kind entry_kind(struct walk *w, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        if (errno != ENOENT) /* removed in the meantime */
            skip(w, path, strerror(errno));
        return ENTRY_OTHER;
    }
    if (S_ISDIR(st.st_mode))
        return ENTRY_FOLDER;
    if (S_ISLNK(st.st_mode) && stat(path, &st) != 0)
        return ENTRY_OTHER;
    return S_ISREG(st.st_mode) ? ENTRY_FILE : ENTRY_OTHER;
}

static rag_status walk_folder(struct walk *w, const char *folder, unsigned depth,
                              rag_error *error);

static rag_status walk_entry(struct walk *w, const char *path, unsigned depth, rag_error *error)
{
    if (is_outside(w, path))
        return RAG_OK;
    if (w->seen++ % WALK_EVENT_EVERY == 0 &&
        event_progress(w->events, "finding files", "files", w->out->count, 0, path))
        return fail_with(error, RAG_INTERRUPTED, "interrupted while finding files");
    enum entry_kind kind = entry_kind(w, path);
    if (kind == ENTRY_OTHER || (kind == ENTRY_FILE && !document_supported(path)))
        return RAG_OK;
    bool excluded;
    rag_status status =
        gitignore_excludes(&w->ignore, path, kind == ENTRY_FOLDER, &excluded, error);
    if (status || excluded)
        return status;
    return kind == ENTRY_FILE ? take(w, path, error) : walk_folder(w, path, depth + 1, error);
}

static rag_status walk_folder(struct walk *w, const char *folder, unsigned depth,
                              rag_error *error)
{
    if (depth > WALK_MAX_DEPTH) {
        skip(w, folder, "too many folders in folders");
        return RAG_OK;
    }
    struct names names = {0};
    size_t patterns = w->ignore.count;
    rag_status status = RAG_OK;
    if (w->hooks->on_folder)
        status = w->hooks->on_folder(folder, w->hooks->user, error);
    if (!status)
        status = read_names(w, folder, &names, error);
    if (!status)
        status = load_patterns(w, folder, ".gitignore", error);
    for (size_t i = 0; i < names.count && !status; i++) {
        char *path = path_join(folder, names.list[i]);
        status = path ? walk_entry(w, path, depth, error) : fail_memory(error);
        free(path);
    }
    gitignore_truncate(&w->ignore, patterns);
    names_release(&names);
    return status;
}

static rag_status walk_named(struct walk *w, const char *path, rag_error *error)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return fail_errno(error, RAG_INPUT, "%s", path);
    if (is_outside(w, path))
        return RAG_OK;
    if (S_ISREG(st.st_mode))
        return take(w, path, error);
    if (!S_ISDIR(st.st_mode))
        return fail_with(error, RAG_INPUT, "%s: neither a file nor a folder", path);
    rag_status status = load_surroundings(w, path, error);
    if (!status)
        status = walk_folder(w, path, 0, error);
    gitignore_truncate(&w->ignore, 0);
    return status;
}

rag_status walk_paths_with(const char *const *paths, size_t count, const struct events *events,
                           const struct walk_hooks *hooks, struct file_list *out,
                           size_t *skipped, rag_error *error)
{
    *out = (struct file_list){0};
    *skipped = 0;
    struct walk w = {.events = events, .hooks = hooks, .out = out, .skipped = skipped};
    rag_status status = RAG_OK;
    for (size_t i = 0; i < count && !status; i++) {
        char *absolute;
        status = path_absolute(paths[i], &absolute, error);
        if (status)
            break;
        status = walk_named(&w, absolute, error);
        free(absolute);
    }
    gitignore_release(&w.ignore);
    if (status)
        file_list_release(out);
    else
        file_list_sort(out);
    return status;
}

rag_status walk_paths(const char *const *paths, size_t count, const struct events *events,
                      struct file_list *out, size_t *skipped, rag_error *error)
{
    static const struct walk_hooks none;
    return walk_paths_with(paths, count, events, &none, out, skipped, error);
}
