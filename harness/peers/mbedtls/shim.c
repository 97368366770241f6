/* Mbed TLS 3.6: DTLS 1.2.
 *
 * It does no I/O of its own, takes its timer and its randomness from callbacks, and asks libc for nothing but the date. Two
 * things are read from inside of it: whether a handshake resumes, and how far the replay window has come. */
#include "queue.h"

#include "ssl_misc.h"

#include "mbedtls/debug.h"
#include "mbedtls/error.h"
#include "mbedtls/ssl_cache.h"
#include "mbedtls/ssl_cookie.h"
#include "mbedtls/ssl_ticket.h"
#include "mbedtls/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLISECOND 1000000ull
#define SECOND 1000000000ull
/* Its own values, as upstream documents them; a lifetime of tickets it has to be given. */
#define TIMER_INITIAL_MS 1000u
#define TIMER_MAX_MS 60000u
#define TICKET_LIFETIME_S 86400u

struct wt_context {
    wt_world world;
    uint8_t role, resumption, follow;
    uint16_t mtu;
    int32_t connection_id;
    char *server_name;
    char **alpn;
    int *suites;
    uint16_t *groups;
    mbedtls_ssl_config conf;
    mbedtls_x509_crt chain, root;
    mbedtls_pk_context key;
    mbedtls_ssl_cookie_ctx cookies;
    mbedtls_ssl_ticket_context tickets;
    mbedtls_ssl_cache_context cache;
};

struct wt_peer {
    wt_base base;
    wt_context *context;
    mbedtls_ssl_context ssl;
    uint64_t intermediate, final; /* the timer: WT_NEVER is cancelled */
    uint8_t connection_id[MBEDTLS_SSL_CID_IN_LEN_MAX];
    int established, resumed;
    int closed; /* the peer's close_notify came */
    int failed;
    char complaint[192]; /* the last thing that went wrong, in the library's own words */
};

static _Thread_local char refusal[256];

/* ---- what the library asks for ---- */

static int rng(void *unused, unsigned char *out, size_t len) {
    const wt_host *host = wt_world_here()->host;
    host->random(host->data, out, len);
    return 0;
}

static int write_datagram(void *peer, const unsigned char *data, size_t len) {
    wt_push(&((wt_peer *)peer)->base.out, 0, data, len);
    return (int)len;
}

static int read_datagram(void *peer, unsigned char *out, size_t capacity) {
    long len = wt_base_read(&((wt_peer *)peer)->base, out, capacity);
    return len < 0 ? MBEDTLS_ERR_SSL_WANT_READ : (int)len;
}

static void set_timer(void *data, uint32_t intermediate_ms, uint32_t final_ms) {
    wt_peer *peer = data;
    uint64_t now = peer->base.world.now;
    peer->intermediate = final_ms ? now + intermediate_ms * MILLISECOND : WT_NEVER;
    peer->final = final_ms ? now + final_ms * MILLISECOND : WT_NEVER;
}

static int get_timer(void *data) {
    const wt_peer *peer = data;
    uint64_t now = peer->base.world.now;
    if (peer->final == WT_NEVER) return -1;
    return now >= peer->final ? 2 : now >= peer->intermediate;
}

static void log_keys(void *data, mbedtls_ssl_key_export_type type, const unsigned char *secret, size_t secret_len,
                     const unsigned char client_random[32], const unsigned char server_random[32],
                     mbedtls_tls_prf_types prf) {
    wt_peer *peer = data;
    wt_report_secret(&peer->base, "CLIENT_RANDOM", (wt_bytes){client_random, 32}, (wt_bytes){secret, secret_len});
    peer->resumed = peer->ssl.handshake->resume;
}

/* What it says at the lowest level: records that it drops, and why it is about to fail. */
static void listen_in(void *unused, int level, const char *file, int line, const char *text) {
    /* A context's configuration is shared, so the peer is that whose call this is; its base is its beginning. */
    wt_peer *peer = (wt_peer *)wt_world_here();
    size_t len = strcspn(text, "\n");
    if (strstr(text, " returned ")) return;
    if (!strncmp(text, "discarding", 10) || !strncmp(text, "dropping", 8) || !strncmp(text, "replayed", 8)) {
        wt_push(&peer->base.events, WT_EVENT_DISCARDED, text, len);
    } else {
        snprintf(peer->complaint, sizeof peer->complaint, "%.*s", (int)len, text);
    }
}

/* ---- names ---- */

/* "TLS-PSK-WITH-AES-128-CCM" for "PSK_WITH_AES_128_CCM", and back. */
static int suite_number(const char *name) {
    char own[96];
    snprintf(own, sizeof own, "TLS-%s", name);
    for (char *c = own; *c; c++)
        if (*c == '_') *c = '-';
    return mbedtls_ssl_get_ciphersuite_id(own);
}

static void suite_name(const char *own, char *out, size_t capacity) {
    snprintf(out, capacity, "%s", own && !strncmp(own, "TLS-", 4) ? own + 4 : "");
    for (; *out; out++)
        if (*out == '-') *out = '_';
}

static const struct {
    const char *name;
    uint16_t number;
} GROUPS[] = {
    {"x25519", MBEDTLS_SSL_IANA_TLS_GROUP_X25519},
    {"secp256r1", MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1},
    {"secp384r1", MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1},
};

static uint16_t group_number(const char *name) {
    for (size_t i = 0; i < sizeof GROUPS / sizeof *GROUPS; i++)
        if (!strcmp(name, GROUPS[i].name)) return GROUPS[i].number;
    return 0;
}

static int is_of(const char *own_name, uint8_t credentials) {
    int is_psk = !strncmp(own_name, "TLS-PSK-", 8), is_ecdhe_psk = !strncmp(own_name, "TLS-ECDHE-PSK-", 14);
    return credentials == WT_BY_PSK ? is_psk : is_ecdhe_psk;
}

/* ---- refusals ---- */

static uint64_t or_default(uint64_t asked, uint64_t own) { return asked ? asked : own; }

/* It gives up when its longest interval is over once. */
static uint64_t give_up_after(uint64_t initial, uint64_t max) {
    uint64_t interval = initial, sum = initial;
    while (interval < max) {
        interval = 2 * interval < max ? 2 * interval : max;
        sum += interval;
    }
    return sum;
}

static const char *timers_refused(const wt_config *config) {
    uint64_t initial = or_default(config->timer_initial, TIMER_INITIAL_MS * MILLISECOND);
    uint64_t max = or_default(config->timer_max, TIMER_MAX_MS * MILLISECOND);
    if (initial % MILLISECOND || max % MILLISECOND) return "counts its timer in milliseconds";
    if (initial > UINT32_MAX * MILLISECOND || max > UINT32_MAX * MILLISECOND) return "has no timer as long as that";
    if (config->give_up && config->give_up != give_up_after(initial, max)) {
        snprintf(refusal, sizeof refusal, "gives up when its longest interval is over once, here after %g s",
                 (double)give_up_after(initial, max) / (double)SECOND);
        return refusal;
    }
    return NULL;
}

static const char *certificates_refused(const wt_config *config) {
    size_t size = 0;
    for (size_t i = 0; i < config->chain_len; i++) size += config->chain[i].len + 3;
    if (size + 1024 > MBEDTLS_SSL_OUT_CONTENT_LEN) return "sends no handshake message above 16384 bytes";
    if (wt_has_ed25519(config->key) || wt_has_ed25519(config->peer_key)) return "has no Ed25519";
    if (config->groups_len && !wt_is_in("secp256r1", config->groups, config->groups_len))
        return "wants the curve of a certificate, secp256r1, among the groups (RFC 8422 section 5.3)";
    return NULL;
}

static const char *unsupported(const wt_config *config) {
    if (config->version != WT_V12) return "speaks DTLS 1.2 alone";
    for (size_t i = 0; i < config->suites_len; i++)
        if (!suite_number(config->suites[i])) {
            snprintf(refusal, sizeof refusal, "has no cipher suite %s", config->suites[i]);
            return refusal;
        }
    for (size_t i = 0; i < config->groups_len; i++)
        if (!group_number(config->groups[i])) {
            snprintf(refusal, sizeof refusal, "has no key exchange over %s", config->groups[i]);
            return refusal;
        }
    if (config->psk_key.len > MBEDTLS_PSK_MAX_LEN) return "takes no pre-shared key above 64 bytes";
    if (config->connection_id > MBEDTLS_SSL_CID_IN_LEN_MAX) return "takes no connection ID above 32 bytes";
    if (config->return_routability > WT_RRC_NONE) return "has no return routability check";
    if (config->tickets > 1) return "gives one ticket after a handshake";
    if (config->ticket_lifetime % SECOND || config->ticket_lifetime / SECOND > INT32_MAX)
        return "counts the lifetime of sessions in seconds, up to 2^31";
    const char *why = config->credentials == WT_BY_CERTIFICATE ? certificates_refused(config) : NULL;
    return why ? why : timers_refused(config);
}

/* ---- what endpoints share ---- */

/* All the library's own suites for these credentials: left alone, a client would offer those it has no credentials for. */
static int *own_suites(uint8_t credentials) {
    const int *all = mbedtls_ssl_list_ciphersuites();
    size_t len = 0, kept = 0;
    while (all[len]) len++;
    int *suites = calloc(len + 1, sizeof *suites);
    if (!suites) abort();
    for (size_t i = 0; i < len; i++)
        if (is_of(mbedtls_ssl_get_ciphersuite_name(all[i]), credentials)) suites[kept++] = all[i];
    return suites;
}

static int configure_lists(wt_context *context, const wt_config *config) {
    if (config->suites_len) {
        context->suites = calloc(config->suites_len + 1, sizeof *context->suites);
        if (!context->suites) abort();
        for (size_t i = 0; i < config->suites_len; i++) context->suites[i] = suite_number(config->suites[i]);
    } else if (config->credentials != WT_BY_CERTIFICATE) {
        context->suites = own_suites(config->credentials);
    }
    if (context->suites) mbedtls_ssl_conf_ciphersuites(&context->conf, context->suites);
    if (config->groups_len) {
        context->groups = calloc(config->groups_len + 1, sizeof *context->groups);
        if (!context->groups) abort();
        for (size_t i = 0; i < config->groups_len; i++) context->groups[i] = group_number(config->groups[i]);
        mbedtls_ssl_conf_groups(&context->conf, context->groups);
    }
    if (!config->alpn_len) return 0;
    context->alpn = calloc(config->alpn_len + 1, sizeof *context->alpn);
    if (!context->alpn) abort();
    for (size_t i = 0; i < config->alpn_len; i++) context->alpn[i] = wt_copy_text(config->alpn[i]);
    return mbedtls_ssl_conf_alpn_protocols(&context->conf, (const char **)context->alpn);
}

static int configure_credentials(wt_context *context, const wt_config *config) {
    mbedtls_ssl_config *conf = &context->conf;
    int ret = 0;
    if (config->psk_key.len && config->credentials != WT_BY_CERTIFICATE)
        ret = mbedtls_ssl_conf_psk(conf, config->psk_key.data, config->psk_key.len, config->psk_identity.data,
                                   config->psk_identity.len);
    for (size_t i = 0; !ret && i < config->chain_len; i++)
        ret = mbedtls_x509_crt_parse_der(&context->chain, config->chain[i].data, config->chain[i].len);
    if (!ret && config->key.len)
        ret = mbedtls_pk_parse_key(&context->key, config->key.data, config->key.len, NULL, 0, rng, NULL);
    if (!ret && config->chain_len) ret = mbedtls_ssl_conf_own_cert(conf, &context->chain, &context->key);
    if (!ret && config->root.len) {
        ret = mbedtls_x509_crt_parse_der(&context->root, config->root.data, config->root.len);
        mbedtls_ssl_conf_ca_chain(conf, &context->root, NULL);
    }
    if (config->role == WT_SERVER) {
        static const int MODES[] = {MBEDTLS_SSL_VERIFY_NONE, MBEDTLS_SSL_VERIFY_OPTIONAL, MBEDTLS_SSL_VERIFY_REQUIRED};
        mbedtls_ssl_conf_authmode(conf, MODES[config->client_auth]);
    }
    return ret;
}

static int configure_sessions(wt_context *context, const wt_config *config) {
    mbedtls_ssl_config *conf = &context->conf;
    uint32_t lifetime = (uint32_t)or_default(config->ticket_lifetime / SECOND, TICKET_LIFETIME_S);
    if (config->role == WT_CLIENT) {
        int tickets = config->resumption == WT_RESUME_TICKETS;
        mbedtls_ssl_conf_session_tickets(conf, tickets ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
                                                       : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    } else if (config->resumption == WT_RESUME_TICKETS) {
        int ret = mbedtls_ssl_ticket_setup(&context->tickets, rng, NULL, MBEDTLS_CIPHER_AES_256_GCM, lifetime);
        if (ret) return ret;
        mbedtls_ssl_conf_session_tickets_cb(conf, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &context->tickets);
    } else if (config->resumption == WT_RESUME_SESSION_IDS) {
        mbedtls_ssl_cache_set_timeout(&context->cache, (int)lifetime);
        mbedtls_ssl_conf_session_cache(conf, &context->cache, mbedtls_ssl_cache_get, mbedtls_ssl_cache_set);
    }
    return 0;
}

static int configure(wt_context *context, const wt_config *config) {
    mbedtls_ssl_config *conf = &context->conf;
    int is_server = config->role == WT_SERVER;
    int ret = mbedtls_ssl_config_defaults(conf, is_server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                          MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (ret) return ret;
    mbedtls_ssl_conf_rng(conf, rng, NULL);
    mbedtls_ssl_conf_dbg(conf, listen_in, NULL);
    mbedtls_ssl_conf_handshake_timeout(
        conf, (uint32_t)or_default(config->timer_initial / MILLISECOND, TIMER_INITIAL_MS),
        (uint32_t)or_default(config->timer_max / MILLISECOND, TIMER_MAX_MS));
    if (is_server && config->cookie) {
        if ((ret = mbedtls_ssl_cookie_setup(&context->cookies, rng, NULL))) return ret;
        mbedtls_ssl_conf_dtls_cookies(conf, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &context->cookies);
    } else if (is_server) {
        mbedtls_ssl_conf_dtls_cookies(conf, NULL, NULL, NULL);
    }
    if (config->connection_id >= 0) {
        ret = mbedtls_ssl_conf_cid(conf, (size_t)config->connection_id, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE);
        if (ret) return ret;
    }
    if ((ret = configure_lists(context, config))) return ret;
    if ((ret = configure_credentials(context, config))) return ret;
    return configure_sessions(context, config);
}

static void describe(int error, const char *more, char *out, size_t capacity) {
    char text[160];
    mbedtls_strerror(error, text, sizeof text);
    snprintf(out, capacity, "%s%s%s", text, *more ? ": " : "", more);
}

static void context_free(wt_context *context) {
    mbedtls_ssl_config_free(&context->conf);
    mbedtls_x509_crt_free(&context->chain);
    mbedtls_x509_crt_free(&context->root);
    mbedtls_pk_free(&context->key);
    mbedtls_ssl_cookie_free(&context->cookies);
    mbedtls_ssl_ticket_free(&context->tickets);
    mbedtls_ssl_cache_free(&context->cache);
    for (char **protocol = context->alpn; protocol && *protocol; protocol++) free(*protocol);
    free(context->alpn);
    free(context->suites);
    free(context->groups);
    free(context->server_name);
    free(context);
}

static wt_context *context_new(const wt_config *config, const wt_host *host, uint64_t now, const char **why) {
    wt_context *context = calloc(1, sizeof *context);
    if (!context) abort();
    context->world = (wt_world){.now = now, .unix_time = config->unix_time, .host = host};
    context->role = config->role;
    context->resumption = config->resumption;
    context->follow = config->follow_unchecked;
    context->mtu = config->mtu;
    context->connection_id = config->connection_id;
    context->server_name = wt_copy_text(config->server_name);
    mbedtls_ssl_config_init(&context->conf);
    mbedtls_x509_crt_init(&context->chain);
    mbedtls_x509_crt_init(&context->root);
    mbedtls_pk_init(&context->key);
    mbedtls_ssl_cookie_init(&context->cookies);
    mbedtls_ssl_ticket_init(&context->tickets);
    mbedtls_ssl_cache_init(&context->cache);
    wt_enter(&context->world);
    int ret = configure(context, config);
    wt_leave();
    if (!ret) return context;
    describe(ret, "", refusal, sizeof refusal);
    *why = refusal;
    context_free(context);
    return NULL;
}

/* ---- one endpoint ---- */

/* What a reset takes away. */
static int set_up_again(wt_peer *peer) {
    const wt_context *context = peer->context;
    int ret = 0;
    if (context->role == WT_SERVER) {
        const char *address = peer->base.peer_address;
        ret = mbedtls_ssl_set_client_transport_id(&peer->ssl, (const unsigned char *)address, strlen(address));
    }
    if (!ret && context->connection_id >= 0)
        ret = mbedtls_ssl_set_cid(&peer->ssl, MBEDTLS_SSL_CID_ENABLED, peer->connection_id, (size_t)context->connection_id);
    return ret;
}

static int offer(wt_peer *peer, wt_bytes bytes) {
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    int ret = mbedtls_ssl_session_load(&session, bytes.data, bytes.len);
    if (!ret) ret = mbedtls_ssl_set_session(&peer->ssl, &session);
    mbedtls_ssl_session_free(&session);
    return ret;
}

static int set_up(wt_peer *peer, wt_bytes session) {
    const wt_context *context = peer->context;
    if (context->connection_id > 0) rng(NULL, peer->connection_id, (size_t)context->connection_id);
    int ret = mbedtls_ssl_setup(&peer->ssl, &context->conf);
    if (ret) return ret;
    mbedtls_ssl_set_bio(&peer->ssl, peer, write_datagram, read_datagram, NULL);
    mbedtls_ssl_set_timer_cb(&peer->ssl, peer, set_timer, get_timer);
    mbedtls_ssl_set_export_keys_cb(&peer->ssl, log_keys, peer);
    mbedtls_ssl_set_mtu(&peer->ssl, context->mtu);
    if (context->role == WT_CLIENT && (ret = mbedtls_ssl_set_hostname(&peer->ssl, context->server_name))) return ret;
    if (session.len && (ret = offer(peer, session))) return ret;
    return set_up_again(peer);
}

static void peer_free(wt_peer *peer) {
    mbedtls_ssl_free(&peer->ssl);
    wt_base_clear(&peer->base);
    free(peer);
}

static wt_peer *peer_new(wt_context *context, const wt_host *host, const char *peer_address, wt_bytes session, uint64_t now,
                         const char **why) {
    wt_peer *peer = calloc(1, sizeof *peer);
    if (!peer) abort();
    wt_config config = {.unix_time = context->world.unix_time};
    wt_base_init(&peer->base, &config, host, peer_address, now);
    peer->context = context;
    peer->intermediate = peer->final = WT_NEVER;
    mbedtls_ssl_init(&peer->ssl);
    wt_base_enter(&peer->base, now);
    int ret = set_up(peer, session);
    wt_leave();
    if (!ret) return peer;
    describe(ret, "", refusal, sizeof refusal);
    *why = refusal;
    peer_free(peer);
    return NULL;
}

static void fail(wt_peer *peer, int error) {
    char text[384];
    const char *more = peer->complaint;
    if (error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
        snprintf(peer->complaint, sizeof peer->complaint, "alert %d", peer->ssl.in_msg[1]);
    if (error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
        uint32_t flags = mbedtls_ssl_get_verify_result(&peer->ssl);
        if (mbedtls_x509_crt_verify_info(peer->complaint, sizeof peer->complaint, "", flags) > 0)
            peer->complaint[strcspn(peer->complaint, "\n")] = 0;
    }
    describe(error, more, text, sizeof text);
    wt_report(&peer->base, WT_EVENT_FAILED, "%s", text);
    peer->failed = 1;
    peer->final = WT_NEVER;
}

static void report_session(wt_peer *peer) {
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    size_t len = 0;
    int ret = mbedtls_ssl_get_session(&peer->ssl, &session);
    if (!ret && mbedtls_ssl_session_save(&session, NULL, 0, &len) == MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL) {
        unsigned char *bytes = malloc(len);
        if (!bytes) abort();
        ret = mbedtls_ssl_session_save(&session, bytes, len, &len);
        if (!ret) wt_push(&peer->base.events, WT_EVENT_SESSION, bytes, len);
        free(bytes);
    }
    mbedtls_ssl_session_free(&session);
}

static void report_established(wt_peer *peer) {
    char suite[96];
    suite_name(mbedtls_ssl_get_ciphersuite(&peer->ssl), suite, sizeof suite);
    wt_report(&peer->base, WT_EVENT_ESTABLISHED, "%s", suite);
    if (peer->resumed) wt_report(&peer->base, WT_EVENT_RESUMED, "%s", "");
    const mbedtls_x509_crt *certificate = mbedtls_ssl_get_peer_cert(&peer->ssl);
    if (peer->context->role == WT_SERVER && certificate && mbedtls_ssl_get_verify_result(&peer->ssl) == 0)
        wt_push(&peer->base.events, WT_EVENT_CLIENT_CERTIFICATE, certificate->raw.p, certificate->raw.len);
    const char *protocol = mbedtls_ssl_get_alpn_protocol(&peer->ssl);
    if (protocol) wt_report(&peer->base, WT_EVENT_ALPN, "%s", protocol);
    if (peer->context->role == WT_CLIENT && peer->context->resumption != WT_RESUME_NOT) report_session(peer);
}

/* One call into the library, of a handshake or of a read: 0 to go on, else what the call returned. */
static int step(wt_peer *peer) {
    if (!peer->established) {
        int ret = mbedtls_ssl_handshake(&peer->ssl);
        if (ret == MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED) {
            ret = mbedtls_ssl_session_reset(&peer->ssl);
            if (!ret) ret = set_up_again(peer);
        } else if (!ret) {
            peer->established = 1;
            report_established(peer);
        }
        return ret;
    }
    unsigned char data[MBEDTLS_SSL_IN_CONTENT_LEN];
    int ret = mbedtls_ssl_read(&peer->ssl, data, sizeof data);
    if (ret > 0) wt_push(&peer->base.events, WT_EVENT_DATA, data, (size_t)ret);
    /* A client that begins anew from the same address; it has been reset for that. */
    if (ret == MBEDTLS_ERR_SSL_CLIENT_RECONNECT) peer->established = ret = 0;
    return ret < 0 ? ret : 0;
}

/* Goes on until the library has asked for a datagram and there was none: it may have kept records of the last one. */
static void drive(wt_peer *peer) {
    while (!peer->failed && !peer->closed) {
        peer->complaint[0] = 0;
        peer->base.dry = 0;
        int ret = step(peer);
        if (ret == MBEDTLS_ERR_SSL_WANT_READ) {
            if (peer->base.dry) return;
        } else if (ret == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY && peer->established) {
            wt_report(&peer->base, WT_EVENT_PEER_CLOSED, "%s", "");
            peer->closed = 1;
        } else if (ret) {
            fail(peer, ret);
        }
    }
    wt_clear(&peer->base.in);
}

static void start(wt_peer *peer, uint64_t now) {
    wt_base_enter(&peer->base, now);
    if (peer->context->role == WT_CLIENT) drive(peer);
    wt_leave();
}

/* Addresses are the application's: it follows the newest record if it was told to do so unchecked (RFC 9146 section 6). */
static void datagram(wt_peer *peer, uint64_t now, const char *from, wt_bytes bytes) {
    wt_base_enter(&peer->base, now);
    wt_push(&peer->base.in, 0, bytes.data, bytes.len);
    uint64_t newest = peer->ssl.in_window_top;
    drive(peer);
    if (peer->context->follow && peer->ssl.in_window_top > newest && strcmp(from, peer->base.peer_address)) {
        snprintf(peer->base.peer_address, sizeof peer->base.peer_address, "%s", from);
        wt_report(&peer->base, WT_EVENT_PEER_MOVED, "%s", from);
    }
    wt_leave();
}

static void timeout(wt_peer *peer, uint64_t now) {
    wt_base_enter(&peer->base, now);
    drive(peer);
    wt_leave();
}

static uint64_t deadline(wt_peer *peer, uint64_t now) { return peer->final; }

static int next_datagram(wt_peer *peer, uint64_t now, wt_bytes *bytes, const char **to) {
    return wt_base_next_datagram(&peer->base, bytes, to);
}

static int next_event(wt_peer *peer, wt_event *event) { return wt_base_next_event(&peer->base, event); }

static void send_data(wt_peer *peer, uint64_t now, wt_bytes data) {
    char text[384];
    wt_base_enter(&peer->base, now);
    peer->complaint[0] = 0;
    int ret = peer->established && !peer->failed ? mbedtls_ssl_write(&peer->ssl, data.data, data.len) : 0;
    if (ret < 0) {
        describe(ret, peer->complaint, text, sizeof text);
        wt_report(&peer->base, WT_EVENT_SEND_REFUSED, "%s", text);
    } else if ((size_t)ret < data.len) {
        wt_report(&peer->base, WT_EVENT_SEND_REFUSED, "%s", "not established");
    }
    wt_leave();
}

static void close_peer(wt_peer *peer, uint64_t now) {
    wt_base_enter(&peer->base, now);
    if (!peer->failed) {
        int ret = mbedtls_ssl_close_notify(&peer->ssl);
        if (ret) fail(peer, ret);
    }
    wt_leave();
}

/* RFC 9146 section 4: content type tls12_cid, and the connection ID after the sequence number. */
static int owns(wt_peer *peer, wt_bytes bytes) {
    int32_t len = peer->context->connection_id;
    return len > 0 && bytes.len >= 11 + (size_t)len && bytes.data[0] == 25 &&
           !memcmp(bytes.data + 11, peer->connection_id, (size_t)len);
}

/* The end that sent the last flight takes its new keys over only with the other's next record, and until then the library
 * itself would read through a NULL pointer. */
static const char *export_keys(wt_peer *peer, const char *label, uint8_t *out, size_t len) {
    if (!peer->ssl.transform) return "exports nothing until the peer's next record shows that the last flight has arrived";
    int ret = mbedtls_ssl_export_keying_material(&peer->ssl, out, len, label, strlen(label), NULL, 0, 0);
    if (!ret) return NULL;
    describe(ret, "", refusal, sizeof refusal);
    return refusal;
}

/* ---- the table ---- */

/* Lists that the library fills on first use are filled here. */
static const char *prepare(void) {
    mbedtls_debug_set_threshold(1);
    mbedtls_ssl_list_ciphersuites();
    mbedtls_ecp_grp_id_list();
    return NULL;
}

static const wt_identity *identity(void) {
    static const wt_identity IDENTITY = {
        .name = "mbedtls",
        .version = MBEDTLS_VERSION_STRING,
        .about = "Mbed TLS, compiled from source with its default configuration",
        .features = WT_DTLS12 | WT_CERTIFICATES | WT_PSK | WT_CLIENT_AUTH | WT_RESUMPTION | WT_CONNECTION_ID | WT_ALPN,
        .determinism = WT_BYTES,
    };
    return &IDENTITY;
}

const wt_peer_table *wt_table(void);

const wt_peer_table *wt_table(void) {
    static const wt_peer_table TABLE = {
        .abi = WT_ABI,
        .size = sizeof TABLE,
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
        .send = send_data,
        .close = close_peer,
        .owns = owns,
        .export_keys = export_keys,
    };
    return &TABLE;
}
