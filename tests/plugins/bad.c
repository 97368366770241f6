/* The template with one thing wrong, chosen by BAD: what no plugin may do. */
#define windtunnel_peer template_peer
#include "../../harness/peers/template/peer_template.c"
#undef windtunnel_peer

#include <time.h>

#define VERSION 1
#define SYMBOL 2
#define NO_TABLE 3
#define SMALL_TABLE 4
#define NO_FUNCTION 5
#define CRASH 6
#define UNPREPARED 7
#define NAME 8
#define NO_CONTEXT 9
#define LARGE_DATAGRAM 10
#define NULL_DATAGRAM 11
#define NO_ADDRESS 12
#define UNKNOWN_EVENT 13
#define PAST_DEADLINE 14
#define ENDLESS_DATAGRAMS 15
#define ENDLESS_EVENTS 16
#define CLOCK 17

static const char *bad_prepare(void) {
    if (BAD == CRASH) abort();
    return BAD == UNPREPARED ? "the moon is not full" : NULL;
}

static const wt_identity *bad_identity(void) {
    static wt_identity self;
    self = *identity();
    if (BAD == NAME) self.name = "somebody";
    return &self;
}

static wt_context *bad_context(const wt_config *config, const wt_host *host, uint64_t now, const char **why) {
    if (BAD != NO_CONTEXT) return context_new(config, host, now, why);
    *why = "there is no room";
    return NULL;
}

static uint64_t bad_deadline(wt_peer *peer, uint64_t now) { return BAD == PAST_DEADLINE ? 0 : deadline(peer, now); }

static int bad_next_datagram(wt_peer *peer, uint64_t now, wt_bytes *out, const char **to) {
    static uint8_t large[WT_DATAGRAM_MAX + 1];
    int is_some = next_datagram(peer, now, out, to);
    if (BAD == LARGE_DATAGRAM && is_some) *out = (wt_bytes){large, sizeof large};
    if (BAD == NULL_DATAGRAM && is_some) out->data = NULL;
    if (BAD == NO_ADDRESS && is_some) *to = "the other one";
    if (BAD == CLOCK && is_some) {
        /* The real time, in the last bytes of the nonce. */
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        memcpy((uint8_t *)out->data + out->len - 4, &at.tv_nsec, 4);
    }
    if (BAD != ENDLESS_DATAGRAMS) return is_some;
    *out = (wt_bytes){large, 20};
    *to = NULL;
    return 1;
}

static int bad_next_event(wt_peer *peer, wt_event *event) {
    int is_some = next_event(peer, event);
    if (BAD == UNKNOWN_EVENT && is_some) event->kind = 77;
    if (BAD != ENDLESS_EVENTS) return is_some;
    *event = (wt_event){WT_EVENT_DISCARDED, {(const uint8_t *)"again", 5}};
    return 1;
}

#if BAD == SYMBOL
#define windtunnel_peer wind_tunnel_peer
#endif

__attribute__((visibility("default"))) const wt_peer_table *windtunnel_peer(void) {
    static wt_peer_table table;
    if (BAD == NO_TABLE) return NULL;
    table = *template_peer();
    table.prepare = bad_prepare;
    table.identity = bad_identity;
    table.context_new = bad_context;
    table.deadline = bad_deadline;
    table.next_datagram = bad_next_datagram;
    table.next_event = bad_next_event;
    if (BAD == VERSION) table.abi = 99;
    if (BAD == SMALL_TABLE) table.size = 16;
    if (BAD == NO_FUNCTION) table.deadline = NULL;
    return &table;
}
