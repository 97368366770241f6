/* wolfSSL behind the table of `windtunnel_peer.h`. */
#include "queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/version.h>

#define SECOND 1000000000ull
#define SECRET 32
#define LIST 1024
/* wolfSSL's own: how long a session or a ticket lives, and how far a ticket's age may be off. */
#define MOST_LIFETIME 604800
#define AGE_WINDOW (11 * SECOND)
/* wolfSSL doubles its timer until an interval is no shorter than this, and then gives up. */
#define TIMER_LAST (64 * SECOND)
/* Seconds no interval comes to. */
#define TIMER_NEVER (1 << 28)

struct wt_context {
    wt_world world;
    WOLFSSL_CTX *ctx;
    wt_config config; /* without what it points to, of which the following are copies */
    char *server_name;
    char *identity;
    uint8_t *key;
    char *alpn;
    char psk_suite[64]; /* in 1.3, of a server: what the key goes with */
    int groups[8];
    int groups_len;
    uint8_t secret[SECRET]; /* of cookies */
};

struct wt_peer {
    wt_base base;
    wt_context *context;
    WOLFSSL *ssl;
    uint64_t timer_from; /* since when the retransmission timer runs */
    uint64_t flight_from; /* since when what it waits for is overdue */
    uint64_t quick_from; /* since when the timer of acknowledgements runs */
    uint64_t longest; /* interval */
    uint8_t timer_ran, quick_ran;
    word32 bad_records, replays;
    uint8_t started, early, established, closed, ended;
    uint8_t key_logged; /* of 1.2 */
    uint8_t *session;   /* what the client may resume by, until the handshake is over */
    int session_len;
    uint8_t cid[255];
    char address[64]; /* of next_datagram */
};

static int is_client(const wt_context *context) { return context->config.role == WT_CLIENT; }
static int is_13(const wt_context *context) { return context->config.version == WT_V13; }

/* ---- what it can be ---------------------------------------------------------------------------------------------- */

static const wt_identity identity = {
    .name = "wolfssl",
    .version = LIBWOLFSSL_VERSION_STRING,
    .about = "wolfSSL, compiled from source; licensed under the GPL-3.0 and never part of a distributed binary",
    .features = WT_DTLS12 | WT_DTLS13 | WT_CERTIFICATES | WT_PSK | WT_CLIENT_AUTH | WT_RESUMPTION | WT_PSK_MODES |
                WT_EARLY_DATA | WT_EARLY_WITHOUT_COOKIE | WT_CONNECTION_ID | WT_ALPN | WT_KEY_UPDATE,
    .determinism = WT_BYTES,
};

static const wt_identity *table_identity(void) { return &identity; }

/* Draws randomness once in a process. */
static const char *table_prepare(void) {
    return wolfSSL_Init() == WOLFSSL_SUCCESS ? NULL : "wolfSSL_Init failed";
}

static const struct {
    const char *name;
    int group;
    uint8_t only_13;
} groups[] = {
    {"x25519", WOLFSSL_ECC_X25519, 0},
    {"secp256r1", WOLFSSL_ECC_SECP256R1, 0},
    {"secp384r1", WOLFSSL_ECC_SECP384R1, 0},
    {"X25519MLKEM768", WOLFSSL_X25519MLKEM768, 1},
};

/* -1 if there is none. */
static int group_named(const char *name, int v13) {
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strcmp(name, groups[i].name) == 0) return groups[i].only_13 && !v13 ? -1 : groups[i].group;
    return -1;
}

/* Suites of 1.2 with pre-shared keys, in wolfSSL's own order. */
static const char *const psk_suites[] = {
    "PSK_WITH_AES_256_GCM_SHA384", "PSK_WITH_AES_256_CBC_SHA384", "PSK_WITH_AES_256_CBC_SHA",
    "PSK_WITH_AES_128_GCM_SHA256", "PSK_WITH_AES_128_CBC_SHA256", "PSK_WITH_AES_128_CBC_SHA",
    "PSK_WITH_CHACHA20_POLY1305_SHA256", "PSK_WITH_AES_128_CCM_8", "PSK_WITH_AES_256_CCM_8",
    "PSK_WITH_AES_128_CCM", "PSK_WITH_AES_256_CCM",
};
static const char *const ecdhe_psk_suites[] = {
    "ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
    "ECDHE_PSK_WITH_AES_128_GCM_SHA256",
    "ECDHE_PSK_WITH_AES_128_CBC_SHA256",
};
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Whether wolfSSL has this suite and it goes with the version and the credentials. */
static int has_suite(const char *name, const wt_config *config) {
    char full[80];
    byte first, second;
    int flags;
    snprintf(full, sizeof full, "TLS_%s", name);
    if (wolfSSL_get_cipher_suite_from_name(full, &first, &second, &flags) != 0) return 0;
    if ((strstr(name, "_WITH_") == NULL) != (config->version == WT_V13)) return 0;
    if (config->version == WT_V13) return 1;
    switch (config->credentials) {
    case WT_BY_PSK: return strncmp(name, "PSK_", 4) == 0;
    case WT_BY_ECDHE_PSK: return strncmp(name, "ECDHE_PSK_", 10) == 0;
    default: return strncmp(name, "ECDHE_ECDSA_", 12) == 0 || strncmp(name, "ECDHE_RSA_", 10) == 0;
    }
}

static const char *table_unsupported(const wt_config *config) {
    static __thread char text[128];
    int v13 = config->version == WT_V13, server = config->role == WT_SERVER;
    if (!v13 && server && !config->cookie) return "its server always sends a HelloVerifyRequest";
    for (size_t i = 0; i < config->suites_len; i++)
        if (!has_suite(config->suites[i], config)) {
            snprintf(text, sizeof text, "has no cipher suite %s for these credentials", config->suites[i]);
            return text;
        }
    for (size_t i = 0; i < config->groups_len; i++)
        if (group_named(config->groups[i], v13) < 0) {
            snprintf(text, sizeof text, "has no key exchange over %s", config->groups[i]);
            return text;
        }
    if (config->groups_len > COUNT(((wt_context *)0)->groups)) return "takes no more than eight groups";
    if (config->timer_initial % SECOND) return "counts its retransmission timer in whole seconds";
    if (config->psk_import) return "has no import of external PSKs (RFC 9258)";
    if (config->record_size_limit) return "has no limit on the size of records (RFC 8449)";
    if (config->raw_public_keys) return "has no check of raw public keys here";
    if (config->credentials != WT_BY_CERTIFICATE) {
        if (config->psk_identity.len == 0 || memchr(config->psk_identity.data, 0, config->psk_identity.len))
            return "takes the identity of a pre-shared key for a string";
        if (config->psk_key.len == 0 || config->psk_key.len > 64) return "takes pre-shared keys of 1 to 64 bytes";
        if (config->psk_identity.len > 128) return "takes identities of at most 128 bytes";
    }
    if (!v13 && config->psk_modes[0]) return "has PSK modes in DTLS 1.3 only";
    if (config->psk_modes[0] == WT_PSK_KE && config->psk_modes[1] == WT_PSK_DHE_KE)
        return "always prefers psk_dhe_ke";
    if (config->ticket_lifetime % SECOND) return "counts the lifetime of sessions in whole seconds";
    if (config->ticket_lifetime > MOST_LIFETIME * SECOND) return "has no sessions that live longer than a week";
    if (config->resumption == WT_RESUME_SESSION_IDS && v13) return "has no session IDs in DTLS 1.3 here";
    if (server && config->early_data_window && config->early_data_window != AGE_WINDOW)
        return "takes a ticket's age to be off by no more than 11 s, which cannot be set";
    if (config->connection_id >= 0 && config->return_routability > WT_RRC_NONE)
        return "has no return routability check (RFC 9853)";
    if (config->connection_id > 255) return "has connection IDs of at most 255 bytes";
    if (config->connection_id_messages) return "sends no messages about connection IDs";
    return NULL;
}

/* ---- callbacks --------------------------------------------------------------------------------------------------- */

/* The one pointer of an application's that wolfSSL keeps for an endpoint in every configuration. */
static wt_peer *peer_of(const WOLFSSL *ssl) { return wolfSSL_get_psk_callback_ctx((WOLFSSL *)ssl); }

static int on_receive(WOLFSSL *ssl, char *out, int capacity, void *peer) {
    long len;
    do len = wt_base_read(&((wt_peer *)peer)->base, out, (size_t)capacity);
    while (len == 0);
    return len < 0 ? WOLFSSL_CBIO_ERR_WANT_READ : (int)len;
}

static int on_send(WOLFSSL *ssl, char *data, int len, void *peer) {
    wt_push(&((wt_peer *)peer)->base.out, 0, data, (size_t)len);
    return len;
}

static int log_key(WOLFSSL *ssl, const char *label, const void *secret, int len) {
    byte random[32];
    if (wolfSSL_get_client_random(ssl, random, sizeof random) != sizeof random) return WOLFSSL_FATAL_ERROR;
    wt_report_secret(&peer_of(ssl)->base, label, (wt_bytes){random, sizeof random}, (wt_bytes){secret, (size_t)len});
    return 0;
}

static int on_secret_12(WOLFSSL *ssl, void *secret, int secret_len, void *peer) {
    ((wt_peer *)peer)->key_logged = 1;
    return log_key(ssl, "CLIENT_RANDOM", secret, secret_len);
}

static int on_secret_13(WOLFSSL *ssl, int id, const unsigned char *secret, int secret_len, void *peer) {
    const char *label;
    switch (id) {
    case CLIENT_EARLY_TRAFFIC_SECRET: label = "CLIENT_EARLY_TRAFFIC_SECRET"; break;
    case CLIENT_HANDSHAKE_TRAFFIC_SECRET: label = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"; break;
    case SERVER_HANDSHAKE_TRAFFIC_SECRET: label = "SERVER_HANDSHAKE_TRAFFIC_SECRET"; break;
    case CLIENT_TRAFFIC_SECRET: label = "CLIENT_TRAFFIC_SECRET_0"; break;
    case SERVER_TRAFFIC_SECRET: label = "SERVER_TRAFFIC_SECRET_0"; break;
    case EXPORTER_SECRET: label = "EXPORTER_SECRET"; break;
    default: return 0;
    }
    return log_key(ssl, label, secret, secret_len);
}

static unsigned copy_key(const wt_context *context, unsigned char *key, unsigned key_max) {
    unsigned len = (unsigned)context->config.psk_key.len;
    if (len > key_max) return 0;
    memcpy(key, context->key, len);
    return len;
}

static unsigned on_client_psk(WOLFSSL *ssl, const char *hint, char *name, unsigned name_max, unsigned char *key,
                              unsigned key_max) {
    const wt_context *context = peer_of(ssl)->context;
    if (strlen(context->identity) > name_max) return 0;
    strcpy(name, context->identity);
    return copy_key(context, key, key_max);
}

/* In 1.3 a key goes with a hash, and SHA-256 is that of keys that do not say (RFC 8446 section 4.2.11). */
static int is_sha256(const char *suite) { return strstr(suite, "SHA256") != NULL; }

static unsigned on_client_psk_13(WOLFSSL *ssl, const char *hint, char *name, unsigned name_max, unsigned char *key,
                                 unsigned key_max, const char *suite) {
    return suite && is_sha256(suite) ? on_client_psk(ssl, hint, name, name_max, key, key_max) : 0;
}

static unsigned on_server_psk(WOLFSSL *ssl, const char *name, unsigned char *key, unsigned key_max) {
    const wt_context *context = peer_of(ssl)->context;
    return strcmp(name, context->identity) == 0 ? copy_key(context, key, key_max) : 0;
}

static unsigned on_server_psk_13(WOLFSSL *ssl, const char *name, unsigned char *key, unsigned key_max,
                                 const char **suite) {
    *suite = peer_of(ssl)->context->psk_suite;
    return on_server_psk(ssl, name, key, key_max);
}

/* A client can resume: by a session of the handshake, or in 1.3 of a ticket. */
static int on_new_session(WOLFSSL *ssl, WOLFSSL_SESSION *session) {
    wt_peer *peer = peer_of(ssl);
    if (is_13(peer->context) && !wolfSSL_SESSION_has_ticket(session)) return 0;
    unsigned char *bytes = NULL;
    int len = wolfSSL_i2d_SSL_SESSION(session, &bytes);
    if (len <= 0) return 0;
    if (peer->established) {
        wt_push(&peer->base.events, WT_EVENT_SESSION, bytes, (size_t)len);
    } else {
        free(peer->session);
        peer->session = wt_copy(bytes, (size_t)len);
        peer->session_len = len;
    }
    wolfSSL_Free(bytes);
    return 0;
}

/* ---- context ----------------------------------------------------------------------------------------------------- */

/* Cipher suites, as names with colons. */
static int set_suites(wt_context *context, const wt_config *config) {
    const char *const *names = config->suites;
    size_t len = config->suites_len;
    if (!len && !is_13(context) && config->credentials == WT_BY_PSK) names = psk_suites, len = COUNT(psk_suites);
    if (!len && !is_13(context) && config->credentials == WT_BY_ECDHE_PSK)
        names = ecdhe_psk_suites, len = COUNT(ecdhe_psk_suites);
    char list[LIST] = "";
    size_t at = 0;
    for (size_t i = 0; i < len; i++) {
        if (!has_suite(names[i], config)) continue;
        at += (size_t)snprintf(list + at, sizeof list - at, "%sTLS_%s", at ? ":" : "", names[i]);
        if (at >= sizeof list) return 0;
    }
    snprintf(context->psk_suite, sizeof context->psk_suite, "TLS_AES_128_GCM_SHA256");
    for (size_t i = len; i-- > 0;)
        if (is_sha256(names[i])) snprintf(context->psk_suite, sizeof context->psk_suite, "TLS_%s", names[i]);
    return !at || wolfSSL_CTX_set_cipher_list(context->ctx, list) == WOLFSSL_SUCCESS;
}

/* wolfSSL loads an Ed25519 key only without the public one after it (RFC 5958 has both, as versions 1 and 2). */
static int use_key(WOLFSSL_CTX *ctx, wt_bytes key) {
    enum { SHORT = 48, LONG = 83 };
    uint8_t private[SHORT];
    if (key.len == LONG && key.data[1] == LONG - 2 && key.data[4] == 1) {
        memcpy(private, key.data, SHORT);
        private[1] = SHORT - 2;
        private[4] = 0;
        key = (wt_bytes){private, SHORT};
    }
    return wolfSSL_CTX_use_PrivateKey_buffer(ctx, key.data, (long)key.len, WOLFSSL_FILETYPE_ASN1);
}

static const char *set_certificates(wt_context *context, const wt_config *config) {
    WOLFSSL_CTX *ctx = context->ctx;
    if (config->chain_len) {
        size_t len = 0;
        for (size_t i = 0; i < config->chain_len; i++) len += config->chain[i].len;
        uint8_t *all = malloc(len);
        if (!all) abort();
        len = 0;
        for (size_t i = 0; i < config->chain_len; i++) {
            memcpy(all + len, config->chain[i].data, config->chain[i].len);
            len += config->chain[i].len;
        }
        int code = wolfSSL_CTX_use_certificate_chain_buffer_format(ctx, all, (long)len, WOLFSSL_FILETYPE_ASN1);
        free(all);
        if (code != WOLFSSL_SUCCESS) return "takes no such certificate chain";
        code = use_key(ctx, config->key);
        if (code != WOLFSSL_SUCCESS) return "takes no such private key";
    }
    int mode = WOLFSSL_VERIFY_NONE;
    if (is_client(context)) mode = WOLFSSL_VERIFY_PEER;
    else if (config->client_auth == WT_AUTH_OPTIONAL) mode = WOLFSSL_VERIFY_PEER;
    else if (config->client_auth == WT_AUTH_REQUIRED)
        mode = WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    wolfSSL_CTX_set_verify(ctx, mode, NULL);
    if (mode != WOLFSSL_VERIFY_NONE && config->root.len) {
        int code = wolfSSL_CTX_load_verify_buffer(ctx, config->root.data, (long)config->root.len, WOLFSSL_FILETYPE_ASN1);
        if (code != WOLFSSL_SUCCESS) return "takes no such root certificate";
    }
    return NULL;
}

static const char *set_sessions(wt_context *context, const wt_config *config) {
    WOLFSSL_CTX *ctx = context->ctx;
    if (config->resumption == WT_RESUME_NOT) wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
    if (is_client(context)) {
        if (config->resumption != WT_RESUME_NOT) wolfSSL_CTX_sess_set_new_cb(ctx, on_new_session);
        return NULL;
    }
    if (config->resumption != WT_RESUME_TICKETS) {
        int code = is_13(context) ? wolfSSL_CTX_no_ticket_TLSv13(ctx) == 0
                                  : wolfSSL_CTX_NoTicketTLSv12(ctx) == WOLFSSL_SUCCESS;
        if (!code) return "cannot do without tickets";
    }
    if (config->ticket_lifetime) {
        unsigned seconds = (unsigned)(config->ticket_lifetime / SECOND);
        if (wolfSSL_CTX_set_timeout(ctx, seconds) <= 0 || wolfSSL_CTX_set_TicketHint(ctx, (int)seconds) != WOLFSSL_SUCCESS)
            return "takes no such lifetime of sessions";
    }
    if (config->early_data && wolfSSL_CTX_set_max_early_data(ctx, config->early_data) < 0)
        return "takes no such amount of early data";
    return NULL;
}

static const char *configure(wt_context *context, const wt_config *config) {
    WOLFSSL_CTX *ctx = context->ctx;
    wolfSSL_CTX_SetIORecv(ctx, on_receive);
    wolfSSL_CTX_SetIOSend(ctx, on_send);
    if (!set_suites(context, config)) return "takes no such cipher suites";
    if (config->credentials == WT_BY_CERTIFICATE) {
        const char *why = set_certificates(context, config);
        if (why) return why;
    } else if (is_client(context)) {
        if (is_13(context)) wolfSSL_CTX_set_psk_client_cs_callback(ctx, on_client_psk_13);
        else wolfSSL_CTX_set_psk_client_callback(ctx, on_client_psk);
    } else {
        if (is_13(context)) wolfSSL_CTX_set_psk_server_tls13_callback(ctx, on_server_psk_13);
        else wolfSSL_CTX_set_psk_server_callback(ctx, on_server_psk);
    }
    /* In 1.3 the key exchange beside a pre-shared key is a matter of the mode, not of the suite. */
    if (is_13(context) && config->credentials == WT_BY_ECDHE_PSK && !config->psk_modes[0] &&
        wolfSSL_CTX_only_dhe_psk(ctx) != 0)
        return "takes no such PSK mode";
    if (config->psk_modes[0] && !config->psk_modes[1]) {
        int ke = config->psk_modes[0] == WT_PSK_KE;
        if ((ke ? wolfSSL_CTX_no_dhe_psk(ctx) : wolfSSL_CTX_only_dhe_psk(ctx)) != 0) return "takes no such PSK mode";
    }
    return set_sessions(context, config);
}

static void table_context_free(wt_context *context) {
    wolfSSL_CTX_free(context->ctx);
    wolfSSL_Cleanup();
    free(context->server_name);
    free(context->identity);
    free(context->key);
    free(context->alpn);
    free(context);
}

static wt_context *table_context_new(const wt_config *config, const wt_host *host, uint64_t now, const char **why) {
    wt_context *context = calloc(1, sizeof *context);
    if (!context) abort();
    context->config = *config;
    context->world = (wt_world){.now = now, .unix_time = config->unix_time, .host = host};
    context->server_name = wt_copy_text(config->server_name);
    context->identity = calloc(1, config->psk_identity.len + 1);
    if (!context->identity) abort();
    if (config->psk_identity.len) memcpy(context->identity, config->psk_identity.data, config->psk_identity.len);
    context->key = wt_copy(config->psk_key.data, config->psk_key.len);
    for (size_t i = 0; i < config->groups_len; i++)
        context->groups[context->groups_len++] = group_named(config->groups[i], is_13(context));
    size_t len = 1;
    for (size_t i = 0; i < config->alpn_len; i++) len += strlen(config->alpn[i]) + 1;
    context->alpn = calloc(1, len);
    if (!context->alpn) abort();
    for (size_t i = 0; i < config->alpn_len; i++) {
        if (i) strcat(context->alpn, ",");
        strcat(context->alpn, config->alpn[i]);
    }
    host->random(host->data, context->secret, sizeof context->secret);

    wt_enter(&context->world);
    /* For this thread: see sessions.c. */
    if (wolfSSL_Init() != WOLFSSL_SUCCESS) abort();
    WOLFSSL_METHOD *method = NULL;
    if (is_13(context)) method = is_client(context) ? wolfDTLSv1_3_client_method() : wolfDTLSv1_3_server_method();
    else method = is_client(context) ? wolfDTLSv1_2_client_method() : wolfDTLSv1_2_server_method();
    context->ctx = method ? wolfSSL_CTX_new(method) : NULL;
    *why = context->ctx ? configure(context, config) : "wolfSSL_CTX_new failed";
    wt_leave();
    if (*why) {
        table_context_free(context);
        return NULL;
    }
    return context;
}

/* ---- peer -------------------------------------------------------------------------------------------------------- */

static const char *set_up(wt_peer *peer) {
    wt_context *context = peer->context;
    const wt_config *config = &context->config;
    WOLFSSL *ssl = peer->ssl;
    int ok = WOLFSSL_SUCCESS;
    wolfSSL_SetIOReadCtx(ssl, peer);
    wolfSSL_SetIOWriteCtx(ssl, peer);
    wolfSSL_set_psk_callback_ctx(ssl, peer);
    wolfSSL_dtls_set_using_nonblock(ssl, 1);
    wolfSSL_KeepArrays(ssl);
    wolfSSL_set_secret_cb(ssl, on_secret_12, peer);
    wolfSSL_set_tls13_secret_cb(ssl, on_secret_13, peer);
    if (wolfSSL_dtls_set_mtu(ssl, config->mtu) != ok) return "takes no such MTU";
    if (wolfSSL_dtls_set_peer(ssl, peer->base.peer_address, (unsigned)strlen(peer->base.peer_address)) != ok)
        return "takes no such address";
    /* The timers are the application's. Told when to give up it does that itself, and goes on at the longest interval. */
    uint64_t first = config->timer_initial ? config->timer_initial : SECOND;
    peer->longest = config->give_up ? TIMER_LAST : WT_NEVER;
    if (config->timer_max) peer->longest = config->timer_max;
    if (peer->longest < first) peer->longest = first;
    if (config->give_up && wolfSSL_dtls_set_timeout_max(ssl, TIMER_NEVER) != ok) return "takes no such limit";
    if (config->timer_initial && wolfSSL_dtls_set_timeout_init(ssl, (int)(config->timer_initial / SECOND)) != ok)
        return "takes no such timer";
    if (context->groups_len && is_13(context) && wolfSSL_set_groups(ssl, context->groups, context->groups_len) != ok)
        return "takes no such groups";
    for (int i = 0; i < context->groups_len && !is_13(context); i++)
        if (wolfSSL_UseSupportedCurve(ssl, (word16)context->groups[i]) != ok) return "takes no such group";
    if (*context->alpn && wolfSSL_UseALPN(ssl, context->alpn, (unsigned)strlen(context->alpn),
                                          WOLFSSL_ALPN_FAILED_ON_MISMATCH) != ok)
        return "takes no such application protocols";
    if (config->connection_id >= 0) {
        unsigned len = (unsigned)config->connection_id;
        peer->base.world.host->random(peer->base.world.host->data, peer->cid, len);
        if (wolfSSL_dtls_cid_use(ssl) != ok || wolfSSL_dtls_cid_set(ssl, peer->cid, len) != ok)
            return "takes no such connection ID";
    }
    if (is_client(context)) {
        const char *name = context->server_name;
        if (config->credentials == WT_BY_CERTIFICATE &&
            (wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, name, (word16)strlen(name)) != ok ||
             wolfSSL_check_domain_name(ssl, name) != ok))
            return "takes no such server name";
        if (!is_13(context) && config->resumption == WT_RESUME_TICKETS && wolfSSL_UseSessionTicket(ssl) != ok)
            return "takes no tickets";
    } else if (!is_13(context)) {
        if (wolfSSL_DTLS_SetCookieSecret(ssl, context->secret, SECRET) != 0) return "takes no secret for cookies";
    } else {
        int code = config->cookie ? wolfSSL_send_hrr_cookie(ssl, context->secret, SECRET) : wolfSSL_disable_hrr_cookie(ssl);
        if (code != ok) return "takes no such setting of cookies";
        if (config->early_data_without_cookie && wolfSSL_dtls13_no_hrr_on_resume(ssl, 1) != ok)
            return "asks everybody for a cookie";
        if (wolfSSL_dtls13_allow_ch_frag(ssl, 1) != ok) return "takes no fragments of a ClientHello";
        peer->early = config->early_data != 0;
    }
    return NULL;
}

static void table_peer_free(wt_peer *peer) {
    wt_enter(&peer->base.world);
    wolfSSL_free(peer->ssl);
    wt_leave();
    free(peer->session);
    wt_base_clear(&peer->base);
    free(peer);
}

static wt_peer *table_peer_new(wt_context *context, const wt_host *host, const char *peer_address, wt_bytes session,
                               uint64_t now, const char **why) {
    wt_peer *peer = calloc(1, sizeof *peer);
    if (!peer) abort();
    wt_base_init(&peer->base, &context->config, host, peer_address, now);
    peer->context = context;
    wt_base_enter(&peer->base, now);
    peer->ssl = wolfSSL_new(context->ctx);
    *why = peer->ssl ? set_up(peer) : "wolfSSL_new failed";
    if (!*why && session.len) {
        const unsigned char *bytes = session.data;
        WOLFSSL_SESSION *resumed = wolfSSL_d2i_SSL_SESSION(NULL, &bytes, (long)session.len);
        if (!resumed) *why = "takes no such session";
        /* It refuses one that has expired, and then there is a full handshake. */
        else if (wolfSSL_set_session(peer->ssl, resumed) == WOLFSSL_SUCCESS) peer->early = context->config.early_data != 0;
        wolfSSL_SESSION_free(resumed);
    }
    wt_leave();
    if (*why) {
        table_peer_free(peer);
        return NULL;
    }
    return peer;
}

static void fail(wt_peer *peer, const char *what, int code) {
    if (peer->ended) return;
    peer->ended = 1;
    const char *reason = wolfSSL_ERR_reason_error_string((unsigned long)code);
    WOLFSSL_ALERT_HISTORY history;
    if (code == FATAL_ERROR && wolfSSL_get_alert_history(peer->ssl, &history) == WOLFSSL_SUCCESS &&
        history.last_rx.code >= 0)
        wt_report(&peer->base, WT_EVENT_FAILED, "%s: %s: %d", what, reason, history.last_rx.code);
    else wt_report(&peer->base, WT_EVENT_FAILED, "%s: %s", what, reason ? reason : "unknown error");
}

static void establish(wt_peer *peer) {
    WOLFSSL *ssl = peer->ssl;
    const wt_config *config = &peer->context->config;
    peer->established = 1;
    unsigned char *master, *server_random, *random;
    unsigned master_len, server_len, random_len;
    /* wolfSSL tells the secret when it is made, and so does not of a session that is resumed. */
    if (!is_13(peer->context) && !peer->key_logged &&
        wolfSSL_get_keys(ssl, &master, &master_len, &server_random, &server_len, &random, &random_len) == WOLFSSL_SUCCESS)
        log_key(ssl, "CLIENT_RANDOM", master, (int)master_len);
    int code = wolfSSL_get_current_cipher_suite(ssl);
    const char *suite = wolfSSL_get_cipher_name_iana_from_suite((unsigned char)(code >> 8), (unsigned char)code);
    wt_report(&peer->base, WT_EVENT_ESTABLISHED, "%s", suite && strncmp(suite, "TLS_", 4) == 0 ? suite + 4 : "");
    if (config->resumption != WT_RESUME_NOT && wolfSSL_session_reused(ssl)) wt_report(&peer->base, WT_EVENT_RESUMED, "%s", "");
    if (!is_client(peer->context) && config->client_auth != WT_AUTH_NONE) {
        WOLFSSL_X509 *certificate = wolfSSL_get_peer_certificate(ssl);
        int len = 0;
        const unsigned char *der = certificate ? wolfSSL_X509_get_der(certificate, &len) : NULL;
        if (der) wt_push(&peer->base.events, WT_EVENT_CLIENT_CERTIFICATE, der, (size_t)len);
        wolfSSL_X509_free(certificate);
    }
    char *protocol = NULL;
    word16 protocol_len = 0;
    if (*peer->context->alpn && wolfSSL_ALPN_GetProtocol(ssl, &protocol, &protocol_len) == WOLFSSL_SUCCESS && protocol)
        wt_push(&peer->base.events, WT_EVENT_ALPN, protocol, protocol_len);
    if (is_client(peer->context) && peer->early) {
        int status = wolfSSL_get_early_data_status(ssl);
        if (status == WOLFSSL_EARLY_DATA_ACCEPTED) wt_report(&peer->base, WT_EVENT_EARLY_ACCEPTED, "%s", "");
        if (status == WOLFSSL_EARLY_DATA_REJECTED) wt_report(&peer->base, WT_EVENT_EARLY_REJECTED, "%s", "");
    }
    if (peer->session) {
        wt_push(&peer->base.events, WT_EVENT_SESSION, peer->session, (size_t)peer->session_len);
        free(peer->session);
        peer->session = NULL;
    }
    if (!is_client(peer->context) && is_13(peer->context) && config->resumption == WT_RESUME_TICKETS)
        for (int i = 1; i < config->tickets; i++)
            if (wolfSSL_send_SessionTicket(ssl) != WOLFSSL_SUCCESS)
                fail(peer, "send_SessionTicket", wolfSSL_get_error(ssl, 0));
}

static int would_wait(int code) { return code == WOLFSSL_ERROR_WANT_READ || code == WOLFSSL_ERROR_WANT_WRITE; }

/* A server that takes early data reads it before it accepts. */
static void read_early(wt_peer *peer) {
    uint8_t data[16384];
    while (peer->early && !peer->ended) {
        int len = 0;
        int code = wolfSSL_read_early_data(peer->ssl, data, (int)sizeof data, &len);
        if (len > 0) {
            wt_push(&peer->base.events, WT_EVENT_EARLY_DATA, data, (size_t)len);
            continue;
        }
        if (code < 0) {
            int error = wolfSSL_get_error(peer->ssl, code);
            if (!would_wait(error)) fail(peer, "read_early_data", error);
            return;
        }
        peer->early = 0;
    }
}

/* Lets wolfSSL read what there is, and go on as far as it can. */
static void step(wt_peer *peer) {
    uint8_t data[16384];
    WOLFSSL *ssl = peer->ssl;
    if (!peer->established && !peer->ended) {
        if (!is_client(peer->context)) read_early(peer);
        if (peer->ended || (peer->early && !is_client(peer->context))) return;
        int code = is_client(peer->context) ? wolfSSL_connect(ssl) : wolfSSL_accept(ssl);
        if (code == WOLFSSL_SUCCESS) establish(peer);
        else {
            int error = wolfSSL_get_error(ssl, code);
            if (!would_wait(error)) fail(peer, is_client(peer->context) ? "connect" : "accept", error);
        }
    }
    while (peer->established && !peer->ended) {
        int len = wolfSSL_read(ssl, data, (int)sizeof data);
        if (len > 0) {
            wt_push(&peer->base.events, WT_EVENT_DATA, data, (size_t)len);
            continue;
        }
        int error = wolfSSL_get_error(ssl, len);
        if (would_wait(error)) break;
        if (error == WOLFSSL_ERROR_ZERO_RETURN) {
            peer->ended = 1;
            wt_report(&peer->base, WT_EVENT_PEER_CLOSED, "%s", "");
        } else if (peer->closed) peer->ended = 1;
        else fail(peer, "read", error);
    }
    word32 bad = 0, replays = 0;
    if (wolfSSL_dtls_get_drop_stats(ssl, &bad, &replays) == WOLFSSL_SUCCESS) {
        for (; peer->bad_records < bad; peer->bad_records++) wt_report(&peer->base, WT_EVENT_DISCARDED, "bad MAC");
        for (; peer->replays < replays; peer->replays++) wt_report(&peer->base, WT_EVENT_DISCARDED, "replay");
    }
}

/* wolfSSL says how long its timers are, and leaves them to the application. Of retransmission, one that starts when
 * something is sent that is to be answered; in 1.3 also a quicker one, of acknowledgements, that starts when something came
 * that may be incomplete. */
static int timer_runs(const wt_peer *peer) {
    if (peer->ended || peer->closed) return 0;
    if (!peer->established) return is_client(peer->context) ? peer->started : wolfSSL_is_stateful(peer->ssl);
    return is_13(peer->context) && wolfSSL_dtls13_has_pending_msg(peer->ssl);
}

static int quick_runs(const wt_peer *peer) {
    return is_13(peer->context) && !peer->ended && !peer->closed && wolfSSL_dtls13_use_quick_timeout(peer->ssl);
}

enum restarts { NONE, AGAIN, AFRESH };

/* After each call: afresh if it may have sent a flight, again if it may have repeated one. */
static void set_timers(wt_peer *peer, enum restarts restarts) {
    int runs = timer_runs(peer), quick = quick_runs(peer);
    if (runs && !peer->timer_ran) restarts = AFRESH;
    if (runs && restarts != NONE) peer->timer_from = peer->base.world.now;
    if (runs && restarts == AFRESH) peer->flight_from = peer->base.world.now;
    if (quick && !peer->quick_ran) peer->quick_from = peer->base.world.now;
    peer->timer_ran = (uint8_t)runs;
    peer->quick_ran = (uint8_t)quick;
}

/* When an unanswered flight ends the handshake. */
static uint64_t end_of(const wt_peer *peer) {
    uint64_t give_up = peer->context->config.give_up;
    return give_up && peer->timer_ran && !peer->established ? peer->flight_from + give_up : WT_NEVER;
}

static uint64_t table_deadline(wt_peer *peer, uint64_t now) {
    uint64_t interval = (uint64_t)wolfSSL_dtls_get_current_timeout(peer->ssl) * SECOND;
    if (interval > peer->longest) interval = peer->longest;
    uint64_t at = peer->timer_ran ? peer->timer_from + interval : WT_NEVER;
    uint64_t quick = peer->quick_ran ? peer->quick_from + interval / 4 : WT_NEVER;
    if (quick < at) at = quick;
    return end_of(peer) < at ? end_of(peer) : at;
}

static void table_timeout(wt_peer *peer, uint64_t now) {
    if (!peer->timer_ran && !peer->quick_ran) return;
    if (now >= end_of(peer)) {
        peer->ended = 1;
        peer->timer_ran = peer->quick_ran = 0;
        wt_report(&peer->base, WT_EVENT_FAILED, "%s", "unanswered for as long as it was told to wait");
        return;
    }
    wt_base_enter(&peer->base, now);
    int quick = peer->quick_ran;
    int code = wolfSSL_dtls_got_timeout(peer->ssl);
    if (code != WOLFSSL_SUCCESS) {
        int error = wolfSSL_get_error(peer->ssl, code);
        if (!would_wait(error)) fail(peer, "dtls_got_timeout", error);
    }
    step(peer);
    set_timers(peer, quick ? NONE : AGAIN);
    wt_leave();
}

static void table_start(wt_peer *peer, uint64_t now) {
    if (!is_client(peer->context)) return;
    wt_base_enter(&peer->base, now);
    peer->started = 1;
    if (peer->early) {
        /* With early data to come the ClientHello says so; nothing is sent of it yet. */
        int len = 0;
        if (wolfSSL_write_early_data(peer->ssl, "", 0, &len) < 0) {
            int error = wolfSSL_get_error(peer->ssl, WOLFSSL_FATAL_ERROR);
            peer->early = 0;
            if (error && !would_wait(error)) fail(peer, "write_early_data", error);
        }
    }
    if (!peer->early) step(peer);
    set_timers(peer, AFRESH);
    wt_leave();
}

static void table_datagram(wt_peer *peer, uint64_t now, const char *from, wt_bytes datagram) {
    if (peer->ended || (is_client(peer->context) && !peer->started)) return;
    wt_base_enter(&peer->base, now);
    const char *known = *peer->address ? peer->address : peer->base.peer_address;
    if (peer->context->config.follow_unchecked && strcmp(from, known) != 0 &&
        wolfSSL_dtls_set_pending_peer(peer->ssl, (void *)from, (unsigned)strlen(from)) != WOLFSSL_SUCCESS)
        fail(peer, "dtls_set_pending_peer", wolfSSL_get_error(peer->ssl, 0));
    wt_push(&peer->base.in, 0, datagram.data, datagram.len);
    step(peer);
    set_timers(peer, wt_is_empty(&peer->base.out) ? NONE : AFRESH);
    const void *address = NULL;
    unsigned len = 0;
    if (wolfSSL_dtls_get0_peer(peer->ssl, &address, &len) == WOLFSSL_SUCCESS && address && len < sizeof peer->address &&
        (len != strlen(known) || memcmp(address, known, len) != 0)) {
        memcpy(peer->address, address, len);
        peer->address[len] = 0;
        wt_report(&peer->base, WT_EVENT_PEER_MOVED, "%s", peer->address);
    }
    wt_leave();
}

static int table_next_datagram(wt_peer *peer, uint64_t now, wt_bytes *datagram, const char **to) {
    int some = wt_base_next_datagram(&peer->base, datagram, to);
    if (some && *peer->address) *to = peer->address;
    return some;
}

static int table_next_event(wt_peer *peer, wt_event *event) { return wt_base_next_event(&peer->base, event); }

static void table_send(wt_peer *peer, uint64_t now, wt_bytes data) {
    wt_base_enter(&peer->base, now);
    if (!peer->established || peer->closed) {
        wt_report(&peer->base, WT_EVENT_SEND_REFUSED, "%s", peer->closed ? "closed" : "the handshake is not over");
    } else {
        int code = wolfSSL_write(peer->ssl, data.data, (int)data.len);
        if (code != (int)data.len)
            wt_report(&peer->base, WT_EVENT_SEND_REFUSED, "%s",
                      wolfSSL_ERR_reason_error_string((unsigned long)wolfSSL_get_error(peer->ssl, code)));
    }
    wt_leave();
}

static const char *table_send_early(wt_peer *peer, uint64_t now, wt_bytes data) {
    if (!peer->early || peer->established) return "has no session that allows early data";
    wt_base_enter(&peer->base, now);
    int len = 0;
    int code = wolfSSL_write_early_data(peer->ssl, data.data, (int)data.len, &len);
    const char *why = NULL;
    if (code < 0) why = wolfSSL_ERR_reason_error_string((unsigned long)wolfSSL_get_error(peer->ssl, code));
    else if (len != (int)data.len) why = "sends no early data any more";
    wt_leave();
    return why;
}

static void table_close(wt_peer *peer, uint64_t now) {
    if (peer->closed || !peer->established) return;
    wt_base_enter(&peer->base, now);
    peer->closed = 1;
    /* Says whether the peer has closed as well: not an error either way. */
    wolfSSL_shutdown(peer->ssl);
    wt_leave();
}

static const char *table_ask(wt_peer *peer, uint64_t now, uint32_t what, uint32_t argument) {
    if (what != WT_ASK_UPDATE_KEYS) return "sends no messages about connection IDs";
    wt_base_enter(&peer->base, now);
    int code = wolfSSL_update_keys(peer->ssl);
    set_timers(peer, code == WOLFSSL_SUCCESS ? AFRESH : NONE);
    const char *why = NULL;
    if (code != WOLFSSL_SUCCESS) why = wolfSSL_ERR_reason_error_string((unsigned long)wolfSSL_get_error(peer->ssl, code));
    wt_leave();
    return why;
}

static int table_owns(wt_peer *peer, wt_bytes datagram) {
    int len = peer->context->config.connection_id;
    if (len <= 0) return 0;
    const unsigned char *cid = wolfSSL_dtls_cid_parse(datagram.data, (unsigned)datagram.len, (unsigned)len);
    return cid && memcmp(cid, peer->cid, (size_t)len) == 0;
}

static const char *table_export_keys(wt_peer *peer, const char *label, uint8_t *out, size_t len) {
    wt_enter(&peer->base.world);
    int code = wolfSSL_export_keying_material(peer->ssl, out, len, label, strlen(label), NULL, 0, 0);
    wt_leave();
    return code == WOLFSSL_SUCCESS ? NULL : "wolfSSL_export_keying_material failed";
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
    .send_early = table_send_early,
    .close = table_close,
    .ask = table_ask,
    .owns = table_owns,
    .export_keys = table_export_keys,
};

const wt_peer_table *wt_table(void);
const wt_peer_table *wt_table(void) { return &table; }
