/* What every plugin needs: queues of datagrams and of events, and the parts of an endpoint that no stack differs in. */
#ifndef WINDTUNNEL_QUEUE_H
#define WINDTUNNEL_QUEUE_H

#include "takeover.h"

struct wt_item;

/* First in, first out. All zero is empty. */
typedef struct wt_queue {
    struct wt_item *first, *last;
    struct wt_item *taken; /* what the last pop returned: kept until the next one */
} wt_queue;

void wt_push(wt_queue *queue, uint32_t kind, const void *data, size_t len);
/* 1 and the oldest, valid until the next pop or clear; 0 if there is none. `kind` may be NULL. */
int wt_pop(wt_queue *queue, uint32_t *kind, wt_bytes *out);
int wt_is_empty(const wt_queue *queue);
void wt_clear(wt_queue *queue);

/* Begins every plugin's `struct wt_peer`. */
typedef struct wt_base {
    wt_world world;
    wt_queue in;     /* datagrams that the stack has not read yet */
    wt_queue out;    /* datagrams that it has sent */
    wt_queue events; /* enum wt_event_kind */
    char peer_address[64];
    int dry; /* wt_base_read has found nothing since this was last cleared: a stack may have kept records of a datagram */
} wt_base;

void wt_base_init(wt_base *base, const wt_config *config, const wt_host *host, const char *peer_address, uint64_t now);
void wt_base_clear(wt_base *base);

/* Sets the time and takes over this thread; wt_leave ends it. */
void wt_base_enter(wt_base *base, uint64_t now);

/* An event with text, as printf writes it. */
void wt_report(wt_base *base, uint32_t kind, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A line of the NSS key log: label, the client's random, the secret. */
void wt_report_secret(wt_base *base, const char *label, wt_bytes client_random, wt_bytes secret);

/* Hands out what the stack read and sent: the table's `next_datagram` and `next_event`, whole. */
int wt_base_next_datagram(wt_base *base, wt_bytes *datagram, const char **to);
int wt_base_next_event(wt_base *base, wt_event *event);

/* Copies the oldest datagram for a stack that reads into a buffer: bytes copied, cut to `capacity`, or -1 if there is none. */
long wt_base_read(wt_base *base, void *out, size_t capacity);

/* Whether `name` is in a list; for `unsupported`. */
int wt_is_in(const char *name, const char *const *list, size_t len);

/* Whether this DER names the algorithm Ed25519 (RFC 8410), for stacks that lack it. */
int wt_has_ed25519(wt_bytes der);

/* A copy of a configuration's bytes or text that outlives the call; free() it. NULL stays NULL. */
void *wt_copy(const void *data, size_t len);
char *wt_copy_text(const char *text);

#endif
