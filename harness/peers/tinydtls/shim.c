/* tinydtls behind the table of `windtunnel_peer.h`. One of its contexts for each endpoint: it has no other state. */
#include "queue.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtls_config.h"
#include "tinydtls.h"

#include "dtls.h"
#include "dtls_debug.h"
#include "dtls_prng.h"
#include "netq.h"

#define SECOND 1000000000ull
#define MILLISECOND 1000000ull
#define COUNT(list) (sizeof(list) / sizeof *(list))
/* Its timer: from two seconds, seven times doubled. Then it forgets the message and says nothing. */
#define TIMER_INITIAL (2 * SECOND)
#define TIMER_LAST (256 * SECOND)
#define LONGEST_DATAGRAM 256

struct wt_context {
    wt_world world;
    wt_config config; /* without what it points to, of which the following are copies */
    uint8_t *identity, *key, *peer_key;
    dtls_cipher_t suites[5]; /* ended by none */
    dtls_ecdsa_key_t pair;   /* of raw public keys; points into `own` */
    uint8_t own[96];
    unsigned char cookie_secret[DTLS_COOKIE_SECRET_LENGTH];
};

struct wt_peer {
    wt_base base;
    wt_context *context;
    dtls_context_t *dtls;
    session_t address;
    uint8_t random[32]; /* the client's, as it was on the wire */
    uint8_t started, key_logged, established, closed, ended;
    char complaint[128]; /* what tinydtls wrote last into its log */
};

/* Whom tinydtls works for on this thread: its log does not say. */
static __thread wt_peer *current;

static void enter(wt_peer *peer, uint64_t now) {
    wt_base_enter(&peer->base, now);
    current = peer;
}

static void leave(void) {
    current = NULL;
    wt_leave();
}

/* ---- the platform that tinydtls runs on -------------------------------------------------------------------------- */

void dtls_clock_init(void) {}

void dtls_ticks(dtls_tick_t *t) {
    const wt_world *world = wt_world_here();
    *t = world ? (dtls_tick_t)(world->now / MILLISECOND) : 0;
}

void dtls_prng_init(unsigned seed) {}

int dtls_prng(unsigned char *out, size_t len) {
    const wt_world *world = wt_world_here();
    if (!world) return 0;
    world->host->random(world->host->data, out, len);
    return 1;
}

static void on_log(log_t level, const char *message) {
    if (!current || level > DTLS_LOG_WARN) return;
    snprintf(current->complaint, sizeof current->complaint, "%s", message);
    current->complaint[strcspn(current->complaint, "\n")] = 0;
}

/* ---- what it can be ---------------------------------------------------------------------------------------------- */

static const wt_identity identity = {
    .name = "tinydtls",
    .version = PACKAGE_VERSION,
    .about = "tinydtls of the Eclipse Foundation for constrained devices, compiled from source",
    .features = WT_DTLS12 | WT_CERTIFICATES | WT_PSK | WT_CLIENT_AUTH | WT_RAW_PUBLIC_KEYS,
    .determinism = WT_BYTES,
};

static const wt_identity *table_identity(void) { return &identity; }

static const char *table_prepare(void) {
    dtls_init();
    dtls_set_log_level(DTLS_LOG_WARN);
    dtls_set_log_handler(on_log);
    return NULL;
}

/* In the order of its own table, where a suite's place is its index. */
static const struct {
    const char *name;
    dtls_cipher_t suite;
    int psk;
} suites[] = {
    {"PSK_WITH_AES_128_CCM_8", TLS_PSK_WITH_AES_128_CCM_8, 1},
    {"PSK_WITH_AES_128_CCM", TLS_PSK_WITH_AES_128_CCM, 1},
    {"ECDHE_ECDSA_WITH_AES_128_CCM_8", TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 0},
    {"ECDHE_ECDSA_WITH_AES_128_CCM", TLS_ECDHE_ECDSA_WITH_AES_128_CCM, 0},
};

/* Its place, or -1 if there is none for these credentials. */
static int suite_named(const char *name, const wt_config *config) {
    for (size_t i = 0; i < COUNT(suites); i++)
        if (strcmp(name, suites[i].name) == 0 && suites[i].psk == (config->credentials == WT_BY_PSK)) return (int)i;
    return -1;
}

static const char *table_unsupported(const wt_config *config) {
    static __thread char text[128];
    int server = config->role == WT_SERVER;
    if (config->credentials == WT_BY_ECDHE_PSK) return "has no ECDHE_PSK cipher suite";
    if (config->credentials == WT_BY_CERTIFICATE && !config->raw_public_keys)
        return "has raw public keys, but no certificates";
    /* Its server ends every such handshake with handshake_failure, also of its own client. */
    if (config->raw_public_keys && server) return "has raw public keys as a client only here";
    if (server && !config->cookie) return "its server always sends a HelloVerifyRequest";
    for (size_t i = 0; i < config->suites_len; i++)
        if (suite_named(config->suites[i], config) < 0) {
            snprintf(text, sizeof text, "has no cipher suite %s for these credentials", config->suites[i]);
            return text;
        }
    for (size_t i = 0; i < config->groups_len; i++)
        if (strcmp(config->groups[i], "secp256r1") != 0) return "has no key exchange but over secp256r1";
    if (config->credentials == WT_BY_PSK) {
        if (config->psk_key.len > DTLS_PSK_MAX_KEY_LEN) return "takes pre-shared keys of at most 16 bytes";
        if (config->psk_identity.len > DTLS_PSK_MAX_CLIENT_IDENTITY_LEN) return "takes identities of at most 128 bytes";
    } else if ((config->key.len && wt_has_ed25519(config->key)) || wt_has_ed25519(config->peer_key)) {
        return "has no Ed25519 keys";
    }
    if (config->psk_modes[0]) return "has PSK modes in DTLS 1.3 only";
    if (config->mtu < LONGEST_DATAGRAM) return "cannot cut its messages into fragments";
    if (config->timer_initial && config->timer_initial != TIMER_INITIAL)
        return "has a retransmission timer of two seconds, which cannot be set";
    if (config->timer_max && config->timer_max < TIMER_LAST)
        return "has no cap on its retransmission timer, which doubles seven times";
    if (config->give_up) return "never says that it gave up";
    return NULL;
}

/* ---- callbacks --------------------------------------------------------------------------------------------------- */

static dtls_peer_t *association(const wt_peer *peer) { return dtls_get_peer(peer->dtls, &peer->address); }

/* It has no callback for secrets. The master secret is in reach from when the keys are made until the handshake is over. */
static void log_key(wt_peer *peer) {
    dtls_peer_t *there = association(peer);
    if (peer->key_logged || !there || !there->handshake_params || !dtls_security_params_epoch(there, 1)) return;
    peer->key_logged = 1;
    wt_report_secret(&peer->base, "CLIENT_RANDOM", (wt_bytes){peer->random, sizeof peer->random},
                     (wt_bytes){there->handshake_params->tmp.master_secret, DTLS_MASTER_SECRET_LENGTH});
}

/* Keeps the random of a ClientHello: record header, message header, version, then it comes. */
static void note_hello(wt_peer *peer, const uint8_t *datagram, size_t len) {
    enum { AT = 13 + 12 + 2 };
    if (len >= AT + sizeof peer->random && datagram[0] == DTLS_CT_HANDSHAKE && datagram[13] == DTLS_HT_CLIENT_HELLO)
        memcpy(peer->random, datagram + AT, sizeof peer->random);
}

static int on_write(dtls_context_t *dtls, session_t *to, uint8 *data, size_t len) {
    wt_peer *peer = dtls_get_app_data(dtls);
    note_hello(peer, data, len);
    log_key(peer);
    wt_push(&peer->base.out, 0, data, len);
    return (int)len;
}

static int on_read(dtls_context_t *dtls, session_t *from, uint8 *data, size_t len) {
    wt_peer *peer = dtls_get_app_data(dtls);
    wt_push(&peer->base.events, WT_EVENT_DATA, data, len);
    return 0;
}

static void fail(wt_peer *peer, const char *what, int code) {
    if (peer->ended) return;
    peer->ended = 1;
    if (*peer->complaint) wt_report(&peer->base, WT_EVENT_FAILED, "%s: %s", what, peer->complaint);
    else wt_report(&peer->base, WT_EVENT_FAILED, "%s: %d", what, code);
}

static int on_event(dtls_context_t *dtls, session_t *session, dtls_alert_level_t level, unsigned short code) {
    wt_peer *peer = dtls_get_app_data(dtls);
    if (level == 0 && code == DTLS_EVENT_CONNECTED) {
        if (peer->established) return 0;
        peer->established = 1;
        dtls_peer_t *there = association(peer);
        size_t place = there ? dtls_security_params(there)->cipher_index : 0;
        wt_report(&peer->base, WT_EVENT_ESTABLISHED, "%s", place && place <= COUNT(suites) ? suites[place - 1].name : "");
    } else if (level != 0 && code == DTLS_ALERT_CLOSE_NOTIFY) {
        if (!peer->ended) wt_report(&peer->base, WT_EVENT_PEER_CLOSED, "%s", "");
        peer->ended = 1;
    } else if (level == DTLS_ALERT_LEVEL_FATAL) {
        *peer->complaint = 0;
        fail(peer, "received fatal alert", code);
    }
    return 0;
}

static void on_parameters(dtls_context_t *dtls, session_t *session, dtls_user_parameters_t *parameters) {
    const wt_peer *peer = dtls_get_app_data(dtls);
    memcpy(parameters->cipher_suites, peer->context->suites, sizeof peer->context->suites);
}

static int on_psk(dtls_context_t *dtls, const session_t *session, dtls_credentials_type_t type, const unsigned char *name,
                  size_t name_len, unsigned char *out, size_t out_max) {
    const wt_context *context = ((wt_peer *)dtls_get_app_data(dtls))->context;
    wt_bytes known = {context->identity, context->config.psk_identity.len};
    wt_bytes answer = {NULL, 0};
    if (type == DTLS_PSK_IDENTITY) answer = known;
    if (type == DTLS_PSK_KEY) {
        if (name_len != known.len || memcmp(name, known.data, name_len) != 0)
            return dtls_alert_fatal_create(DTLS_ALERT_DECRYPT_ERROR);
        answer = (wt_bytes){context->key, context->config.psk_key.len};
    }
    if (answer.len > out_max) return dtls_alert_fatal_create(DTLS_ALERT_INTERNAL_ERROR);
    if (answer.len) memcpy(out, answer.data, answer.len);
    return (int)answer.len;
}

static int on_own_key(dtls_context_t *dtls, const session_t *session, const dtls_ecdsa_key_t **key) {
    const wt_context *context = ((wt_peer *)dtls_get_app_data(dtls))->context;
    if (!context->pair.priv_key) return -1;
    *key = &context->pair;
    return 0;
}

/* The point is the end of a SubjectPublicKeyInfo. */
static int on_peer_key(dtls_context_t *dtls, const session_t *session, const unsigned char *x, const unsigned char *y,
                       size_t size) {
    const wt_context *context = ((wt_peer *)dtls_get_app_data(dtls))->context;
    size_t len = context->config.peer_key.len;
    if (len < 2 * size || memcmp(context->peer_key + len - 2 * size, x, size) != 0 ||
        memcmp(context->peer_key + len - size, y, size) != 0)
        return dtls_alert_fatal_create(DTLS_ALERT_BAD_CERTIFICATE);
    return 0;
}

static dtls_handler_t by_psk = {
    .write = on_write, .read = on_read, .event = on_event, .get_user_parameters = on_parameters, .get_psk_info = on_psk};
static dtls_handler_t by_key = {
    .write = on_write, .read = on_read, .event = on_event, .get_user_parameters = on_parameters,
    .get_ecdsa_key = on_own_key, .verify_ecdsa_key = on_peer_key};
/* ---- context and peer -------------------------------------------------------------------------------------------- */

/* The numbers of a key pair of P-256: the private one in its ECPrivateKey (RFC 5915), the public one at the end. */
static int read_pair(wt_context *context, wt_bytes key) {
    static const uint8_t before[] = {0x02, 0x01, 0x01, 0x04, 0x20};
    for (size_t at = 0; at + sizeof before + 32 + 64 <= key.len; at++) {
        if (memcmp(key.data + at, before, sizeof before) != 0) continue;
        memcpy(context->own, key.data + at + sizeof before, 32);
        memcpy(context->own + 32, key.data + key.len - 64, 64);
        context->pair = (dtls_ecdsa_key_t){.curve = DTLS_ECDH_CURVE_SECP256R1, .priv_key = context->own,
                                           .pub_key_x = context->own + 32, .pub_key_y = context->own + 64};
        return 1;
    }
    return 0;
}

static void table_context_free(wt_context *context) {
    free(context->identity);
    free(context->key);
    free(context->peer_key);
    free(context);
}

static wt_context *table_context_new(const wt_config *config, const wt_host *host, uint64_t now, const char **why) {
    wt_context *context = calloc(1, sizeof *context);
    if (!context) abort();
    context->config = *config;
    context->identity = wt_copy(config->psk_identity.data, config->psk_identity.len);
    context->key = wt_copy(config->psk_key.data, config->psk_key.len);
    context->peer_key = wt_copy(config->peer_key.data, config->peer_key.len);
    host->random(host->data, context->cookie_secret, sizeof context->cookie_secret);
    size_t some = 0;
    for (size_t i = 0; i < config->suites_len && some + 1 < COUNT(context->suites); i++)
        context->suites[some++] = suites[suite_named(config->suites[i], config)].suite;
    for (size_t i = 0; i < COUNT(suites) && !config->suites_len; i++)
        if (suites[i].psk == (config->credentials == WT_BY_PSK)) context->suites[some++] = suites[i].suite;
    if (config->credentials == WT_BY_CERTIFICATE && config->key.len && !read_pair(context, config->key)) {
        *why = "takes no such private key";
        table_context_free(context);
        return NULL;
    }
    return context;
}

/* Reads "192.0.2.1:5684" or "[2001:db8::1]:5684". */
static int read_address(session_t *session, const char *text) {
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host) return 0;
    int v6 = *text == '[';
    int len = (int)(colon - text) - 2 * v6;
    snprintf(host, sizeof host, "%.*s", len, text + v6);
    in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    dtls_session_init(session);
    if (v6) {
        session->size = sizeof session->addr.sin6;
        session->addr.sin6.sin6_family = AF_INET6;
        session->addr.sin6.sin6_port = port;
        return inet_pton(AF_INET6, host, &session->addr.sin6.sin6_addr) == 1;
    }
    session->size = sizeof session->addr.sin;
    session->addr.sin.sin_family = AF_INET;
    session->addr.sin.sin_port = port;
    return inet_pton(AF_INET, host, &session->addr.sin.sin_addr) == 1;
}

static void table_peer_free(wt_peer *peer) {
    enter(peer, peer->base.world.now);
    peer->ended = 1;
    dtls_free_context(peer->dtls);
    leave();
    wt_base_clear(&peer->base);
    free(peer);
}

static wt_peer *table_peer_new(wt_context *context, const wt_host *host, const char *peer_address, wt_bytes session,
                               uint64_t now, const char **why) {
    wt_peer *peer = calloc(1, sizeof *peer);
    if (!peer) abort();
    wt_base_init(&peer->base, &context->config, host, peer_address, now);
    peer->context = context;
    enter(peer, now);
    peer->dtls = dtls_new_context(peer);
    leave();
    if (!peer->dtls) *why = "dtls_new_context failed";
    else if (!read_address(&peer->address, peer_address)) *why = "takes no such address";
    if (*why) {
        table_peer_free(peer);
        return NULL;
    }
    /* All endpoints of a server know each other's cookies. */
    memcpy(peer->dtls->cookie_secret, context->cookie_secret, sizeof context->cookie_secret);
    const wt_config *config = &context->config;
    dtls_set_handler(peer->dtls, config->credentials == WT_BY_PSK ? &by_psk : &by_key);
    return peer;
}

static void table_start(wt_peer *peer, uint64_t now) {
    if (peer->context->config.role != WT_CLIENT) return;
    enter(peer, now);
    peer->started = 1;
    int code = dtls_connect(peer->dtls, &peer->address);
    if (code < 0) fail(peer, "dtls_connect", code);
    leave();
}

static void table_datagram(wt_peer *peer, uint64_t now, const char *from, wt_bytes datagram) {
    int server = peer->context->config.role == WT_SERVER;
    if (peer->ended || (!server && !peer->started)) return;
    enter(peer, now);
    if (server) note_hello(peer, datagram.data, datagram.len);
    int was = association(peer) != NULL;
    *peer->complaint = 0;
    /* It decrypts in place. */
    uint8_t *copy = wt_copy(datagram.data, datagram.len);
    int code = dtls_handle_message(peer->dtls, &peer->address, copy, (int)datagram.len);
    free(copy);
    log_key(peer);
    if (was && !association(peer)) {
        if (peer->closed) peer->ended = 1;
        fail(peer, "dtls_handle_message", code);
    }
    leave();
}

static uint64_t table_deadline(wt_peer *peer, uint64_t now) {
    const netq_t *first = netq_head(&peer->dtls->sendqueue);
    if (!first) return WT_NEVER;
    uint64_t ticks = now / MILLISECOND;
    return (ticks + (uint64_t)(int64_t)(int32_t)(first->t - (dtls_tick_t)ticks)) * MILLISECOND;
}

static void table_timeout(wt_peer *peer, uint64_t now) {
    enter(peer, now);
    dtls_check_retransmit(peer->dtls, NULL);
    leave();
}

static int table_next_datagram(wt_peer *peer, uint64_t now, wt_bytes *datagram, const char **to) {
    return wt_base_next_datagram(&peer->base, datagram, to);
}

static int table_next_event(wt_peer *peer, wt_event *event) { return wt_base_next_event(&peer->base, event); }

static void table_send(wt_peer *peer, uint64_t now, wt_bytes data) {
    enter(peer, now);
    *peer->complaint = 0;
    /* It would begin a new handshake if there were no association. */
    if (!peer->established || peer->closed || peer->ended || !association(peer)) {
        wt_report(&peer->base, WT_EVENT_SEND_REFUSED, "%s", "there is no association");
    } else {
        uint8_t *copy = wt_copy(data.data, data.len);
        int code = dtls_write(peer->dtls, &peer->address, copy, data.len);
        free(copy);
        if (code != (int)data.len)
            wt_report(&peer->base, WT_EVENT_SEND_REFUSED, "dtls_write: %s", *peer->complaint ? peer->complaint : "no");
    }
    leave();
}

static void table_close(wt_peer *peer, uint64_t now) {
    if (peer->closed || peer->ended) return;
    enter(peer, now);
    peer->closed = 1;
    int code = dtls_close(peer->dtls, &peer->address);
    if (code < 0) fail(peer, "dtls_close", code);
    leave();
}

static const wt_peer_table table = {
    .abi = WT_ABI,
    .size = sizeof(wt_peer_table),
    .identity = table_identity,
    .prepare = table_prepare,
    .unsupported = table_unsupported,
    .context_new = table_context_new,
    .context_free = table_context_free,
    .peer_new = table_peer_new,
    .peer_free = table_peer_free,
    .start = table_start,
    .datagram = table_datagram,
    .timeout = table_timeout,
    .deadline = table_deadline,
    .next_datagram = table_next_datagram,
    .next_event = table_next_event,
    .send = table_send,
    .close = table_close,
};

const wt_peer_table *wt_table(void);
const wt_peer_table *wt_table(void) { return &table; }
