/* What the machine can do, as one line of JSON: bench_peak THREADS
 * GFLOP/s in f32 and bf16, GOP/s in int8; see peak.h. */
#include "peak.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    unsigned long threads = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    enum cpu_level level;
    rag_error error;
    if (threads == 0 || threads > 1024) {
        fprintf(stderr, "usage: bench_peak THREADS\n");
        return 2;
    }
    if (cpu_choose(&level, &error)) {
        fprintf(stderr, "bench_peak: %s\n", error.message);
        return 1;
    }
    unsigned n = (unsigned)threads;
    printf("{\"level\":\"%s\",\"f32\":%.1f,\"bf16\":%.1f,\"int8\":%.1f}\n",
           cpu_level_name(level), peak_gflops(level, n), peak_bf16_gflops(n),
           peak_int8_gops(n));
    return 0;
}
