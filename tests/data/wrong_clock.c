/* Has the clock of a program be off by so many seconds: LD_PRELOAD of a test. It fakes the time of day
   alone, and no wait, since waits are of the machine's own clock. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *told) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, told);
    const char *off = getenv("CLOCK_OFF_S");
    if (!failed && clock == CLOCK_REALTIME && off)
        told->tv_sec += atol(off);
    return failed;
}
