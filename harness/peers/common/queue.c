#include "queue.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wt_item {
    struct wt_item *next;
    uint32_t kind;
    size_t len;
    uint8_t bytes[];
};

void wt_push(wt_queue *queue, uint32_t kind, const void *data, size_t len) {
    struct wt_item *item = malloc(sizeof *item + len);
    if (!item) abort();
    item->next = NULL;
    item->kind = kind;
    item->len = len;
    if (len) memcpy(item->bytes, data, len);
    if (queue->last) queue->last->next = item;
    else queue->first = item;
    queue->last = item;
}

int wt_pop(wt_queue *queue, uint32_t *kind, wt_bytes *out) {
    free(queue->taken);
    struct wt_item *item = queue->taken = queue->first;
    if (!item) return 0;
    queue->first = item->next;
    if (!queue->first) queue->last = NULL;
    if (kind) *kind = item->kind;
    out->data = item->bytes;
    out->len = item->len;
    return 1;
}

int wt_is_empty(const wt_queue *queue) { return queue->first == NULL; }

void wt_clear(wt_queue *queue) {
    wt_bytes ignored;
    while (wt_pop(queue, NULL, &ignored)) {}
}

void wt_base_init(wt_base *base, const wt_config *config, const wt_host *host, const char *peer_address, uint64_t now) {
    base->world = (wt_world){.now = now, .unix_time = config->unix_time, .host = host};
    snprintf(base->peer_address, sizeof base->peer_address, "%s", peer_address);
}

void wt_base_clear(wt_base *base) {
    wt_clear(&base->in);
    wt_clear(&base->out);
    wt_clear(&base->events);
}

void wt_base_enter(wt_base *base, uint64_t now) {
    base->world.now = now;
    wt_enter(&base->world);
}

void wt_report(wt_base *base, uint32_t kind, const char *format, ...) {
    char text[512];
    va_list list;
    va_start(list, format);
    int len = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (len < 0) len = 0;
    if ((size_t)len >= sizeof text) len = sizeof text - 1;
    wt_push(&base->events, kind, text, (size_t)len);
}

static char *hex(char *out, wt_bytes bytes) {
    for (size_t i = 0; i < bytes.len; i++) out += sprintf(out, "%02x", bytes.data[i]);
    return out;
}

void wt_report_secret(wt_base *base, const char *label, wt_bytes client_random, wt_bytes secret) {
    char *line = malloc(strlen(label) + 2 * client_random.len + 2 * secret.len + 3);
    if (!line) abort();
    char *end = hex(line + sprintf(line, "%s ", label), client_random);
    *end++ = ' ';
    end = hex(end, secret);
    wt_push(&base->events, WT_EVENT_KEY_LOG, line, (size_t)(end - line));
    free(line);
}

int wt_base_next_datagram(wt_base *base, wt_bytes *datagram, const char **to) {
    *to = NULL;
    return wt_pop(&base->out, NULL, datagram);
}

int wt_base_next_event(wt_base *base, wt_event *event) { return wt_pop(&base->events, &event->kind, &event->body); }

long wt_base_read(wt_base *base, void *out, size_t capacity) {
    wt_bytes datagram;
    base->dry = !wt_pop(&base->in, NULL, &datagram);
    if (base->dry) return -1;
    size_t len = datagram.len < capacity ? datagram.len : capacity;
    if (len) memcpy(out, datagram.data, len);
    return (long)len;
}

int wt_is_in(const char *name, const char *const *list, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (strcmp(name, list[i]) == 0) return 1;
    return 0;
}

int wt_has_ed25519(wt_bytes der) {
    static const uint8_t name[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
    for (size_t i = 0; i + sizeof name <= der.len; i++)
        if (memcmp(der.data + i, name, sizeof name) == 0) return 1;
    return 0;
}

void *wt_copy(const void *data, size_t len) {
    if (!data) return NULL;
    void *copy = malloc(len ? len : 1);
    if (!copy) abort();
    memcpy(copy, data, len);
    return copy;
}

char *wt_copy_text(const char *text) { return wt_copy(text, text ? strlen(text) + 1 : 0); }
