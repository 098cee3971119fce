/* progress.c - events on stderr: a bar on a terminal, else a line every few seconds; Ctrl-C. */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted; /* by this signal; 0: not */

static void on_interrupt(int number)
{
    static const char again[] =
        "\nrag: finishing what is in hand; Ctrl-C again to stop at once\n";
    if (interrupted)
        _exit(130);
    interrupted = number;
    if (write(STDERR_FILENO, again, sizeof again - 1) < 0)
        return; /* there is nobody to tell */
}

void interrupt_catch(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_came(void)
{
    return interrupted;
}

int interrupt_release(bool ignore_ctrl_c)
{
    signal(SIGINT, ignore_ctrl_c ? SIG_IGN : SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    int number = interrupted;
    interrupted = 0;
    return number;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Whether a line can be drawn over and over. */
static bool is_terminal(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDERR_FILENO) && !(kind && strcmp(kind, "dumb") == 0);
}

void progress_start(struct progress *progress, const struct settings *settings)
{
    *progress = (struct progress){
        .quiet = settings->quiet, .terminal = is_terminal(), .started = now()};
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return 80;
    return size.ws_col;
}

/* "1.2 MB", "340"; bytes in decimal units. */
static const char *amount(double value, const char *unit, char *out, size_t size)
{
    bool bytes = unit && strcmp(unit, "bytes") == 0;
    const char *const steps[] = {"", "k", "M", "G", "T"};
    size_t step = 0;
    while (value >= (bytes ? 1000 : 100000) && step < 4) {
        value /= 1000;
        step++;
    }
    snprintf(out, size, "%.*f%s%s%s", step || value < 10 ? (value < 10 ? 1 : 0) : 0, value,
             bytes || step ? " " : "", steps[step], bytes ? "B" : "");
    return out;
}

static void duration(double seconds, char *out, size_t size)
{
    unsigned long whole = seconds < 0 ? 0 : (unsigned long)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(out, size, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(out, size, "%lu:%02lu", whole / 60, whole % 60);
}

/* The columns of a line of text: a wide character takes two. Enough for paths. */
static size_t fit_columns(const char *text, int columns)
{
    size_t i = 0;
    while (text[i]) {
        unsigned char c = (unsigned char)text[i];
        size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        columns -= length >= 3 ? 2 : 1;
        if (columns < 0 || strnlen(text + i, length) < length)
            break;
        i += length;
    }
    return i;
}

static void describe(const struct progress *progress, const rag_event *event, char *out,
                     size_t size)
{
    char done[32], total[32], amount_a_second[32], rate[64] = "", left[32] = "";
    const char *unit = event->unit ? event->unit : "";
    bool bytes = strcmp(unit, "bytes") == 0;
    double seconds = now() - progress->stage_started;
    uint64_t since = event->done - progress->stage_first;
    double speed = seconds > 0.2 && since ? (double)since / seconds : 0;
    amount((double)event->done, unit, done, sizeof done);
    amount((double)event->total, unit, total, sizeof total);
    amount(speed, unit, amount_a_second, sizeof amount_a_second);
    if (speed > 0)
        snprintf(rate, sizeof rate, ", %s%s%s/s", amount_a_second, bytes ? "" : " ",
                 bytes ? "" : unit);
    if (speed > 0 && event->total > event->done) {
        strcpy(left, ", ");
        duration((double)(event->total - event->done) / speed, left + 2, sizeof left - 8);
        strcat(left, " left");
    }
    snprintf(out, size, "%s/%s%s%s%s%s", done, total, bytes ? "" : " ", bytes ? "" : unit, rate,
             left);
}

static void draw_bar(struct progress *progress, const rag_event *event)
{
    enum { BAR = 16 };
    char numbers[160];
    describe(progress, event, numbers, sizeof numbers);
    double share = (double)event->done / (double)event->total;
    int filled = (int)(share * BAR + 0.5);
    int columns = terminal_columns() - 1;
    char line[512];
    int size = snprintf(line, sizeof line, "%s %3.0f%% [", event->stage, share * 100);
    for (int i = 0; i < BAR; i++)
        line[size++] = i < filled ? '#' : '.';
    size += snprintf(line + size, sizeof line - (size_t)size, "] %s", numbers);
    const char *file = event->message ? display_path(event->message) : "";
    int room = columns - size - 2;
    fprintf(stderr, "\r%.*s  ", columns, line);
    if (room > 8)
        print_safely(stderr, (rag_text){file, fit_columns(file, room)}, " ");
    fputs("\033[K", stderr);
    fflush(stderr);
    progress->interactive_line = true;
}

/* Work whose end is not known: what it is, and for how long. */
static void show_waiting(struct progress *progress, const rag_event *event)
{
    char time[32];
    duration(now() - progress->stage_started, time, sizeof time);
    fprintf(stderr, progress->terminal ? "\r%s ... %s\033[K" : "%s ... %s\n", event->stage,
            time);
    fflush(stderr);
    progress->interactive_line = progress->terminal;
}

static void print_line(const struct progress *progress, const rag_event *event)
{
    char numbers[160];
    describe(progress, event, numbers, sizeof numbers);
    fprintf(stderr, "%s %.0f%% %s\n", event->stage,
            100 * (double)event->done / (double)event->total, numbers);
}

void progress_finish(struct progress *progress)
{
    if (progress->interactive_line)
        fputs("\r\033[K", stderr);
    progress->interactive_line = false;
}

int progress_event(const rag_event *event, void *user)
{
    struct progress *progress = user;
    if (progress->quiet)
        return interrupted;
    if (event->kind != RAG_EVENT_PROGRESS) {
        progress_finish(progress);
        fputs("rag: ", stderr);
        print_safely(stderr, (rag_text){event->message, strlen(event->message)}, " ");
        putc('\n', stderr);
        return interrupted;
    }
    if (progress->hidden)
        return interrupted;
    double time = now();
    const char *stage = event->stage ? event->stage : "";
    /* A stage that counts from the beginning again is a new one; an estimate may go back a
     * little. */
    if (strcmp(progress->stage, stage) != 0 || event->done < progress->stage_first ||
        event->total != progress->stage_total) {
        snprintf(progress->stage, sizeof progress->stage, "%s", stage);
        progress->stage_started = time;
        progress->stage_first = event->done;
        progress->stage_total = event->total;
        progress->shown = progress->terminal ? 0 : time;
    }
    /* Short work shows nothing. */
    double every = progress->terminal ? 0.1 : 5;
    if (time - progress->shown < every || time - progress->started < 0.5)
        return interrupted;
    progress->shown = time;
    if (event->total == 0)
        show_waiting(progress, event);
    else if (progress->terminal)
        draw_bar(progress, event);
    else
        print_line(progress, event);
    return interrupted;
}
