#define _GNU_SOURCE
#include "takeover.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Exported names are defined in Rust, which alone can export from a cdylib; these are then what they call. */
#ifdef WT_TAKEOVER_EXPORTED
#define NAME(name) wt_##name
#else
#define NAME(name) name
#endif
#define HIDDEN __attribute__((visibility("hidden")))

#define SECOND 1000000000ull
/* Monotonic clocks begin well above zero: some stacks take 0 for "not set". */
#define UPTIME (1000 * SECOND)

static __thread const wt_world *world;

void wt_enter(const wt_world *here) { world = here; }
void wt_leave(void) { world = NULL; }
const wt_world *wt_world_here(void) { return world; }

/* libc's own function of that name. */
static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

HIDDEN int NAME(clock_gettime)(clockid_t clock, struct timespec *out) {
    if (!world) {
        int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))next("clock_gettime");
        return real(clock, out);
    }
    int is_date = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
    uint64_t at = world->now + (is_date ? world->unix_time * SECOND : UPTIME);
    out->tv_sec = (time_t)(at / SECOND);
    out->tv_nsec = (long)(at % SECOND);
    return 0;
}

HIDDEN int NAME(gettimeofday)(struct timeval *out, void *zone) {
    if (!world) {
        int (*real)(struct timeval *, void *) = (int (*)(struct timeval *, void *))next("gettimeofday");
        return real(out, zone);
    }
    out->tv_sec = (time_t)(world->unix_time + world->now / SECOND);
    out->tv_usec = (suseconds_t)(world->now % SECOND / 1000);
    return 0;
}

HIDDEN time_t NAME(time)(time_t *out) {
    if (!world) {
        time_t (*real)(time_t *) = (time_t(*)(time_t *))next("time");
        return real(out);
    }
    time_t at = (time_t)(world->unix_time + world->now / SECOND);
    if (out) *out = at;
    return at;
}

HIDDEN ssize_t NAME(getrandom)(void *out, size_t len, unsigned flags) {
    if (!world) {
        ssize_t (*real)(void *, size_t, unsigned) = (ssize_t(*)(void *, size_t, unsigned))next("getrandom");
        return real(out, len, flags);
    }
    world->host->random(world->host->data, out, len);
    return (ssize_t)len;
}

HIDDEN int NAME(getentropy)(void *out, size_t len) {
    if (!world) {
        int (*real)(void *, size_t) = (int (*)(void *, size_t))next("getentropy");
        return real(out, len);
    }
    world->host->random(world->host->data, out, len);
    return 0;
}

#ifdef WT_TAKEOVER_SYSCALL
/* For those who ask the kernel around libc. Every system call has at most six arguments, all of register size. */
HIDDEN long NAME(syscall)(long number, ...) {
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (world && number == SYS_getrandom) {
        world->host->random(world->host->data, (uint8_t *)a[0], (size_t)a[1]);
        return a[1];
    }
    long (*real)(long, ...) = (long (*)(long, ...))next("syscall");
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
#endif
