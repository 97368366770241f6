/* Virtual time and randomness for stacks that ask libc for them.
 *
 * Between wt_enter and wt_leave the clocks and the system's generator answer, on this thread, from the world given; outside
 * of it they are the system's own. Link takeover.c into the plugin: a definition inside the shared object comes before
 * libc's. Code in a shared library that the plugin depends on needs the names exported, see takeover.rs.
 */
#ifndef WINDTUNNEL_TAKEOVER_H
#define WINDTUNNEL_TAKEOVER_H

#include "windtunnel_peer.h"

typedef struct wt_world {
    uint64_t now;       /* nanoseconds since the run began */
    uint64_t unix_time; /* date at now == 0, seconds */
    const wt_host *host;
} wt_world;

void wt_enter(const wt_world *world);
void wt_leave(void);

/* The world of this thread, or NULL outside of a run: for callbacks of a stack that say neither whose nor when. */
const wt_world *wt_world_here(void);

#endif
