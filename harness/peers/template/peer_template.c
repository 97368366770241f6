/*
 * A complete plugin to start from. What it speaks is no DTLS: a hello and its answer, in plaintext records, so that everything
 * a real shim does has its place here and nothing else does. Copy it, put calls of your stack where the toy is, and:
 *
 *     cc -std=c11 -shared -fPIC -I harness/peers -o target/peers/peer_template.so harness/peers/template/peer_template.c
 *     windtunnel peers check template
 *     windtunnel run --client template --server template
 */
#include "windtunnel_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 13, QUEUE = 64, APPLICATION_DATA = 23, HELLO = 'h', ANSWER = 'a', DATA = 'd' };
static const uint64_t SECOND = 1000000000u;

struct wt_context {
    wt_config config; /* flat options only: what it points to is gone after context_new. Copy what you need. */
};

/* Bytes that wait to be fetched. */
struct item {
    uint32_t kind; /* of an event */
    size_t len;
    uint8_t bytes[1500];
};
struct queue {
    struct item items[QUEUE];
    unsigned first, count;
};

struct wt_peer {
    wt_context *context;
    const wt_host *host;
    struct queue out, events;
    uint64_t next_record;
    uint64_t deadline, timeout;
    int is_established, is_over;
    uint8_t nonce[8];
};

/* ---- queues ----------------------------------------------------------------------------------------------------- */

static struct item *push(struct queue *queue, uint32_t kind, const void *bytes, size_t len) {
    if (queue->count == QUEUE) return NULL;
    struct item *item = &queue->items[(queue->first + queue->count++) % QUEUE];
    item->kind = kind;
    item->len = len < sizeof item->bytes ? len : sizeof item->bytes;
    if (item->len) memcpy(item->bytes, bytes, item->len);
    return item;
}

/* What is returned stays where it is until its slot is used again: valid until the next call, as the interface asks. */
static struct item *pop(struct queue *queue) {
    if (queue->count == 0) return NULL;
    struct item *item = &queue->items[queue->first];
    queue->first = (queue->first + 1) % QUEUE;
    queue->count--;
    return item;
}

static void report(wt_peer *peer, uint32_t kind, const char *text) { push(&peer->events, kind, text, strlen(text)); }

/* ---- the toy ---------------------------------------------------------------------------------------------------- */

static void send_record(wt_peer *peer, uint8_t what, const uint8_t *data, size_t len) {
    uint8_t record[1500] = {APPLICATION_DATA, 0xfe, 0xfd};
    if (len > sizeof record - HEADER - 1) len = sizeof record - HEADER - 1;
    for (int i = 0; i < 6; i++) record[5 + i] = (uint8_t)(peer->next_record >> (8 * (5 - i)));
    peer->next_record++;
    record[11] = (uint8_t)((len + 1) >> 8);
    record[12] = (uint8_t)(len + 1);
    record[HEADER] = what;
    if (len) memcpy(record + HEADER + 1, data, len);
    push(&peer->out, 0, record, HEADER + 1 + len);
}

/* A hello and its timer, which doubles. */
static void send_hello(wt_peer *peer, uint64_t now) {
    send_record(peer, HELLO, peer->nonce, sizeof peer->nonce);
    peer->deadline = now + peer->timeout;
    peer->timeout *= 2;
}

static void establish(wt_peer *peer) {
    if (peer->is_established) return;
    peer->is_established = 1;
    peer->deadline = WT_NEVER;
    report(peer, WT_EVENT_ESTABLISHED, "NULL_WITH_NULL_NULL");
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static const wt_identity *identity(void) {
    static const wt_identity self = {
        .name = "template",
        .version = "1",
        .about = "the template of a plugin: a toy that speaks no DTLS",
        .features = WT_DTLS12 | WT_PSK,
        .determinism = WT_BYTES,
    };
    return &self;
}

/* Global set-up of the library comes here. */
static const char *prepare(void) { return NULL; }

static const char *unsupported(const wt_config *config) {
    if (config->size != sizeof(wt_config)) return "was built with another header";
    if (config->suites_len || config->groups_len) return "has no choice of cipher suites or groups";
    if (config->timer_max || config->give_up) return "has no cap on its timer, and never gives up";
    if (config->role == WT_SERVER && config->cookie) return "has no cookies";
    return NULL;
}

static wt_context *context_new(const wt_config *config, const wt_host *host, uint64_t now, const char **why) {
    (void)host, (void)now;
    wt_context *context = calloc(1, sizeof *context);
    if (!context) {
        *why = "there is no memory left";
        return NULL;
    }
    context->config = *config;
    return context;
}

static void context_free(wt_context *context) { free(context); }

static wt_peer *peer_new(wt_context *context, const wt_host *host, const char *address, wt_bytes session, uint64_t now,
                         const char **why) {
    (void)address, (void)session, (void)now;
    wt_peer *peer = calloc(1, sizeof *peer);
    if (!peer) {
        *why = "there is no memory left";
        return NULL;
    }
    peer->context = context;
    peer->host = host;
    peer->deadline = WT_NEVER;
    peer->timeout = context->config.timer_initial ? context->config.timer_initial : SECOND;
    host->random(host->data, peer->nonce, sizeof peer->nonce);
    return peer;
}

static void peer_free(wt_peer *peer) { free(peer); }

static void start(wt_peer *peer, uint64_t now) {
    if (peer->context->config.role == WT_CLIENT) send_hello(peer, now);
}

static void datagram(wt_peer *peer, uint64_t now, const char *from, wt_bytes in) {
    (void)now, (void)from;
    if (peer->is_over) return;
    if (in.len <= HEADER || in.data[0] != APPLICATION_DATA) {
        report(peer, WT_EVENT_DISCARDED, "no record of this toy");
        return;
    }
    switch (in.data[HEADER]) {
    case HELLO:
        send_record(peer, ANSWER, in.data + HEADER + 1, in.len - HEADER - 1);
        establish(peer);
        break;
    case ANSWER:
        establish(peer);
        break;
    case DATA:
        push(&peer->events, WT_EVENT_DATA, in.data + HEADER + 1, in.len - HEADER - 1);
        break;
    default:
        peer->is_over = 1;
        report(peer, WT_EVENT_FAILED, "nothing this toy knows");
    }
}

static void timeout(wt_peer *peer, uint64_t now) {
    if (now >= peer->deadline) send_hello(peer, now);
}

static uint64_t deadline(wt_peer *peer, uint64_t now) {
    (void)now;
    return peer->is_over ? WT_NEVER : peer->deadline;
}

static int next_datagram(wt_peer *peer, uint64_t now, wt_bytes *out, const char **to) {
    (void)now;
    struct item *item = pop(&peer->out);
    if (!item) return 0;
    *out = (wt_bytes){item->bytes, item->len};
    *to = NULL;
    return 1;
}

static int next_event(wt_peer *peer, wt_event *event) {
    struct item *item = pop(&peer->events);
    if (!item) return 0;
    *event = (wt_event){item->kind, {item->bytes, item->len}};
    return 1;
}

static void send(wt_peer *peer, uint64_t now, wt_bytes data) {
    (void)now;
    if (peer->is_established && !peer->is_over) send_record(peer, DATA, data.data, data.len);
    else report(peer, WT_EVENT_SEND_REFUSED, "not established");
}

static void close_peer(wt_peer *peer, uint64_t now) {
    (void)now;
    peer->is_over = 1;
}

__attribute__((visibility("default"))) const wt_peer_table *windtunnel_peer(void) {
    static const wt_peer_table table = {
        .abi = WT_ABI,
        .size = sizeof(wt_peer_table),
        .identity = identity,
        .prepare = prepare,
        .unsupported = unsupported,
        .context_new = context_new,
        .context_free = context_free,
        .peer_new = peer_new,
        .peer_free = peer_free,
        .start = start,
        .datagram = datagram,
        .timeout = timeout,
        .deadline = deadline,
        .next_datagram = next_datagram,
        .next_event = next_event,
        .send = send,
        .close = close_peer,
    };
    return &table;
}
