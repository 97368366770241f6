/* OpenSSL and BoringSSL behind the table: their interfaces differ in little, which is kept together at the top.
 *
 * A plugin's shim.c sets STACK_NAME, STACK_ABOUT, STACK_FEATURES and stack_version, and includes this file. */
#include "queue.h"

#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define SECOND 1000000000ull
#define MILLISECOND 1000000ull
/* Both repeat a flight twelve times and fail at the next timeout, double up to a minute, and take what is left below 15 ms
 * for nothing. */
#define TRANSMISSIONS 13
#define TIMER_CAP (60 * SECOND)
#define TIMER_MIN (15 * MILLISECOND)
#define PLAINTEXT_MAX 16384
#define SUITES_MAX 256
#define TEXT_MAX 256
#define ED25519_SEED_AT 16
#define ED25519_SEED_LEN 32

/* ---- where they differ ------------------------------------------------------------------------------------------ */

#ifdef OPENSSL_IS_BORINGSSL
#define BORING 1
#define TIMER_DEFAULT (400 * MILLISECOND)
#define MTU_MIN 228
#define ANY_SUITE "ALL"
#define ECDHE_PSK_SUITES "kECDHE+aPSK"
#define SUPPORTED_CIPHERS(ssl) SSL_get_ciphers(ssl)
#define FREE_CIPHERS(list) (void)(list)
#define COUNT(i) (i)
#else
#define BORING 0
#define TIMER_DEFAULT SECOND
#define MTU_MIN 256
/* Level 0: what a scenario asks for by name is offered, also CCM_8, which is too short for the default level. */
#define ANY_SUITE "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
#define ECDHE_PSK_SUITES "kECDHEPSK"
#define SUPPORTED_CIPHERS(ssl) SSL_get1_supported_ciphers(ssl)
#define FREE_CIPHERS(list) sk_SSL_CIPHER_free(list)
#define COUNT(i) (int)(i)
#endif

static const char *stack_version(void);

#if BORING
/* Its generator is seeded on each thread anew, from the system call that is taken over. Asking it here has it look at the
 * system before any run. */
static int take_over_random(void) {
    uint8_t byte;
    return RAND_bytes(&byte, 1);
}
#else
/* Its generator mixes in what no seed replaces, such as addresses and counters. It can be replaced for the process, so
 * threads outside of a run are handed on. */
static int random_bytes(unsigned char *out, int len) {
    const wt_world *world = wt_world_here();
    if (!world) return RAND_OpenSSL()->bytes(out, len);
    if (len > 0) world->host->random(world->host->data, out, (size_t)len);
    return 1;
}

static int random_ready(void) { return 1; }

static int take_over_random(void) {
    static const RAND_METHOD method = {.bytes = random_bytes, .pseudorand = random_bytes, .status = random_ready};
    return RAND_set_rand_method(&method);
}
#endif

/* ---- contexts and endpoints ------------------------------------------------------------------------------------- */

/* What of the configuration is needed once it is gone. */
struct wt_context {
    SSL_CTX *ssl;
    wt_config config; /* its pointers are not valid any more */
    char *server_name, *psk_identity;
    uint8_t *psk_key;
    uint8_t *alpn; /* as on the wire */
    size_t alpn_len;
    uint8_t cookie_secret[32];
    char why[TEXT_MAX];
};

struct wt_peer {
    wt_base base;
    wt_context *context;
    SSL *ssl;
    int started, established, ended;
    uint8_t plaintext[PLAINTEXT_MAX];
};

static BIO_METHOD *queues;
/* All suites of DTLS 1.2: IANA names without TLS_, and the library's own. */
static const char *suite_names[SUITES_MAX], *suite_own_names[SUITES_MAX];
static size_t suite_count;

static wt_peer *peer_of(const SSL *ssl) { return SSL_get_app_data(ssl); }
static wt_context *context_of(SSL *ssl) { return peer_of(ssl)->context; }

/* All that the library has to say about its last failure, oldest first. */
static void describe(char *out, size_t size, const char *fallback) {
    size_t used = 0;
    out[0] = 0;
    unsigned long error;
    while ((error = ERR_get_error()) != 0) {
        const char *reason = ERR_reason_error_string(error);
        if (!reason || used >= size) continue;
        int len = snprintf(out + used, size - used, "%s%s", used ? ": " : "", reason);
        if (len > 0) used += (size_t)len;
    }
    if (!used) snprintf(out, size, "%s", fallback);
}

static void fail(wt_peer *peer, const char *fallback) {
    char text[TEXT_MAX];
    int is_certificate = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    describe(text, sizeof text, fallback);
    long verified = SSL_get_verify_result(peer->ssl);
    if (!is_certificate) wt_report(&peer->base, WT_EVENT_FAILED, "%s", text);
    else wt_report(&peer->base, WT_EVENT_FAILED, "%s (%s)", text, X509_verify_cert_error_string(verified));
    peer->ended = 1;
}

/* ---- datagrams: a BIO over the queues --------------------------------------------------------------------------- */

static int queue_write(BIO *bio, const char *data, int len) {
    wt_peer *peer = BIO_get_data(bio);
    if (len < 0) return -1;
    wt_push(&peer->base.out, 0, data, (size_t)len);
    return len;
}

static int queue_read(BIO *bio, char *out, int capacity) {
    wt_peer *peer = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    long len = capacity > 0 ? wt_base_read(&peer->base, out, (size_t)capacity) : -1;
    if (len > 0) return (int)len;
    BIO_set_retry_read(bio);
    return -1;
}

static long queue_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/* ---- callbacks -------------------------------------------------------------------------------------------------- */

static void on_key_log(const SSL *ssl, const char *line) {
    wt_peer *peer = peer_of(ssl);
    wt_push(&peer->base.events, WT_EVENT_KEY_LOG, line, strlen(line));
}

static void report_session(wt_peer *peer, SSL_SESSION *session) {
    uint8_t *bytes = NULL;
    int len = i2d_SSL_SESSION(session, &bytes);
    if (len > 0) wt_push(&peer->base.events, WT_EVENT_SESSION, bytes, (size_t)len);
    OPENSSL_free(bytes);
}

/* A ticket of DTLS 1.3. */
static int on_new_session(SSL *ssl, SSL_SESSION *session) {
    wt_peer *peer = peer_of(ssl);
    if (peer->context->config.version == WT_V13) report_session(peer, session);
    return 0; /* keeps no reference */
}

static unsigned on_psk_client(SSL *ssl, const char *hint, char *identity, unsigned identity_max, unsigned char *key,
                              unsigned key_max) {
    (void)hint;
    wt_context *context = context_of(ssl);
    size_t len = context->config.psk_key.len;
    if (strlen(context->psk_identity) + 1 > identity_max || len > key_max) return 0;
    strcpy(identity, context->psk_identity);
    memcpy(key, context->psk_key, len);
    return (unsigned)len;
}

static unsigned on_psk_server(SSL *ssl, const char *identity, unsigned char *key, unsigned key_max) {
    wt_context *context = context_of(ssl);
    size_t len = context->config.psk_key.len;
    if (!identity || strcmp(identity, context->psk_identity) != 0 || len > key_max) return 0;
    memcpy(key, context->psk_key, len);
    return (unsigned)len;
}

/* The server's own preference; the handshake fails if there is nothing in common (RFC 7301 section 3.2). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                   unsigned offered_len, void *data) {
    (void)data;
    wt_context *context = context_of(ssl);
    unsigned char *chosen;
    int found = SSL_select_next_proto(&chosen, out_len, context->alpn, (unsigned)context->alpn_len, offered, offered_len);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

#if !BORING
static int cookie_of(SSL *ssl, uint8_t cookie[32]) {
    wt_peer *peer = peer_of(ssl);
    const uint8_t *secret = peer->context->cookie_secret;
    unsigned len = 32;
    return HMAC(EVP_sha256(), secret, 32, (const uint8_t *)peer->base.peer_address, strlen(peer->base.peer_address), cookie,
                &len) != NULL;
}

static int on_cookie_make(SSL *ssl, unsigned char *cookie, unsigned *len) {
    *len = 32;
    return cookie_of(ssl, cookie);
}

static int on_cookie_check(SSL *ssl, const unsigned char *cookie, unsigned len) {
    uint8_t right[32];
    return len == 32 && cookie_of(ssl, right) && memcmp(cookie, right, 32) == 0;
}

/* Its own rule with other numbers: it asks with 0 for the first timeout and with the last for the next, in microseconds. */
static unsigned on_timer(SSL *ssl, unsigned last) {
    const wt_config *config = &context_of(ssl)->config;
    uint64_t next = last ? last * 2000ull : config->timer_initial ? config->timer_initial : TIMER_DEFAULT;
    uint64_t cap = config->timer_max ? config->timer_max : TIMER_CAP;
    if (last && next > cap) next = cap;
    return (unsigned)(next / 1000);
}
#endif

/* ---- what is refused -------------------------------------------------------------------------------------------- */

/* The library's name of a group, or NULL. */
static const char *group_of(const char *name) {
    static const char *const known[][2] = {
        {"x25519", "X25519"},
        {"secp256r1", "P-256"},
        {"secp384r1", "P-384"},
        {"secp521r1", "P-521"},
#if BORING
        {"X25519MLKEM768", "X25519MLKEM768"},
#else
        {"x448", "X448"},
#endif
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i][0], name) == 0) return known[i][1];
    return NULL;
}

static const char *suite_of(const char *name) {
    for (size_t i = 0; i < suite_count; i++)
        if (strcmp(suite_names[i], name) == 0) return suite_own_names[i];
    return NULL;
}

/* The sum of all intervals. */
static uint64_t gives_up_after(const wt_config *config) {
    uint64_t interval = config->timer_initial ? config->timer_initial : TIMER_DEFAULT;
    uint64_t cap = config->timer_max ? config->timer_max : TIMER_CAP;
    uint64_t sum = 0;
    for (int i = 0; i < TRANSMISSIONS; i++) {
        sum += interval;
        interval = interval * 2 < cap ? interval * 2 : cap;
    }
    return sum;
}

static const char *unsupported(const wt_config *config) {
    static _Thread_local char text[TEXT_MAX];
    if (config->mtu < MTU_MIN) {
        snprintf(text, sizeof text, "takes no MTU below %d bytes", MTU_MIN);
        return text;
    }
    if (config->version == WT_V12 && config->psk_import) return "imports no pre-shared key into DTLS 1.2";
    if (config->credentials != WT_BY_CERTIFICATE) {
        if (config->psk_identity.len > PSK_MAX_IDENTITY_LEN - 1 || config->psk_key.len > PSK_MAX_PSK_LEN)
            return "has no room for a PSK or an identity of this length";
        if (config->version == WT_V12 && memchr(config->psk_identity.data, 0, config->psk_identity.len))
            return "takes a PSK identity for text, which a zero byte ends";
    }
#if BORING
    if (config->role == WT_SERVER && config->cookie) return "its server never asks for a cookie";
    if ((config->timer_max && config->timer_max != TIMER_CAP) || config->timer_initial > TIMER_CAP)
        return "caps its retransmission timer at 60 s, which cannot be set";
    if (config->timer_initial % MILLISECOND) return "sets its retransmission timer in whole milliseconds";
    if (config->version == WT_V13) {
        if (config->suites_len) return "has a fixed list of cipher suites for DTLS 1.3";
        if (config->credentials != WT_BY_CERTIFICATE && !config->psk_import)
            return "takes no external PSK for DTLS 1.3 but an imported one";
    }
    if (config->version == WT_V12 && config->credentials == WT_BY_PSK && !config->suites_len)
        return "has for pre-shared keys alone only cipher suites with CBC, which a scenario has to ask for by name";
#else
    if (config->role == WT_SERVER && wt_has_ed25519(config->key))
        return "its server finds no cipher suite for an Ed25519 key in DTLS, though it does in TLS";
    if (config->timer_initial >= UINT32_MAX * 1000ull || config->timer_max >= UINT32_MAX * 1000ull)
        return "takes no timeout above 4294 s";
    if (config->timer_initial % 1000 || config->timer_max % 1000) return "sets its retransmission timer in whole microseconds";
#endif
    if (config->version == WT_V13 && config->resumption == WT_RESUME_SESSION_IDS) return "DTLS 1.3 has no session IDs";
    if (config->ticket_lifetime % SECOND) return "counts the lifetime of sessions in whole seconds";
    if (config->timer_initial && config->timer_initial < TIMER_MIN) return "takes a timer below 15 ms for one that is due";
    if (config->timer_max && config->timer_max < (config->timer_initial ? config->timer_initial : TIMER_DEFAULT))
        return "has no cap below the first timeout";
    if (config->give_up && config->give_up != gives_up_after(config))
        return "gives up at the timeout after its twelfth repetition, which cannot be set";
    for (size_t i = 0; i < config->suites_len; i++) {
        if (suite_of(config->suites[i])) continue;
        snprintf(text, sizeof text, "has no cipher suite %s", config->suites[i]);
        return text;
    }
    for (size_t i = 0; i < config->groups_len; i++) {
        int is_hybrid = strstr(config->groups[i], "MLKEM") != NULL;
        if (group_of(config->groups[i]) && !(is_hybrid && config->version == WT_V12)) continue;
        snprintf(text, sizeof text, "has no group %s in this version of DTLS", config->groups[i]);
        return text;
    }
    return NULL;
}

/* ---- contexts --------------------------------------------------------------------------------------------------- */

/* Joins what `name_of` says for each of a list with colons; the caller frees it. NULL if there is no memory or no such name. */
static char *join(const char *const *names, size_t count, const char *(*name_of)(const char *)) {
    char *out = calloc(count + 1, 80);
    for (size_t i = 0; out && i < count; i++) {
        const char *name = name_of(names[i]);
        if (!name) {
            free(out);
            return NULL;
        }
        if (i) strcat(out, ":");
        strncat(out, name, 78);
    }
    return out;
}

/* The identity as text. */
static char *text_of(wt_bytes bytes) {
    char *out = calloc(1, bytes.len + 1);
    if (out && bytes.len) memcpy(out, bytes.data, bytes.len);
    return out;
}


/* The list of protocols as on the wire, each with its length before it. */
static int write_alpn(wt_context *context, const wt_config *config) {
    for (size_t i = 0; i < config->alpn_len; i++) context->alpn_len += 1 + strlen(config->alpn[i]);
    uint8_t *at = context->alpn = malloc(context->alpn_len + 1);
    if (!at) return 0;
    for (size_t i = 0; i < config->alpn_len; i++) {
        size_t len = strlen(config->alpn[i]);
        if (len > 255) return 0;
        *at++ = (uint8_t)len;
        memcpy(at, config->alpn[i], len);
        at += len;
    }
    return 1;
}

static X509 *read_certificate(wt_bytes der) {
    const uint8_t *at = der.data;
    return d2i_X509(NULL, &at, (long)der.len);
}

/* PKCS #8. OpenSSL does not read its second version, which has the public key as well (RFC 5958). Of the keys here only
 * Ed25519 has it, always in the same form. */
static EVP_PKEY *read_key(wt_bytes der) {
    const uint8_t *at = der.data;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)der.len);
    if (key || !wt_has_ed25519(der) || der.len < ED25519_SEED_AT + ED25519_SEED_LEN) return key;
    ERR_clear_error();
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, der.data + ED25519_SEED_AT, ED25519_SEED_LEN);
}

static int use_chain(SSL_CTX *ssl, const wt_config *config) {
    for (size_t i = 0; i < config->chain_len; i++) {
        X509 *certificate = read_certificate(config->chain[i]);
        int used = certificate && (i == 0 ? SSL_CTX_use_certificate(ssl, certificate)
                                          : (int)SSL_CTX_add1_chain_cert(ssl, certificate));
        X509_free(certificate);
        if (!used) return 0;
    }
    if (!config->key.len) return 1;
    EVP_PKEY *key = read_key(config->key);
    int used = key && SSL_CTX_use_PrivateKey(ssl, key);
    EVP_PKEY_free(key);
    /* The chain as it is given, without what could be found to lengthen it. */
    SSL_CTX_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN);
    return used;
}

static int trust(SSL_CTX *ssl, const wt_config *config) {
    if (!config->root.len) return 1;
    X509 *root = read_certificate(config->root);
    int done = root && X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), root);
    if (done && config->role == WT_SERVER) done = SSL_CTX_add_client_CA(ssl, root);
    X509_free(root);
    return done;
}

static int use_certificates(wt_context *context, const wt_config *config) {
    SSL_CTX *ssl = context->ssl;
    if (!use_chain(ssl, config) || !trust(ssl, config)) return 0;
    if (config->role == WT_CLIENT) SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    else if (config->client_auth == WT_AUTH_OPTIONAL) SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    else if (config->client_auth == WT_AUTH_REQUIRED)
        SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
#if BORING
    /* All that it can check, Ed25519 too, which is not in its own list. */
    static const uint16_t algorithms[] = {
        SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA256, SSL_SIGN_RSA_PKCS1_SHA256,
        SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA384, SSL_SIGN_RSA_PKCS1_SHA384,
        SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_RSA_PKCS1_SHA512,    SSL_SIGN_ED25519,
    };
    return SSL_CTX_set_verify_algorithm_prefs(ssl, algorithms, sizeof algorithms / sizeof *algorithms);
#else
    return 1;
#endif
}

static int use_psk(wt_context *context, const wt_config *config) {
    context->psk_identity = text_of(config->psk_identity);
    context->psk_key = wt_copy(config->psk_key.data, config->psk_key.len);
    if (!context->psk_identity || !context->psk_key) return 0;
    context->config.psk_key.data = context->psk_key;
#if BORING
    if (config->version == WT_V13) {
        SSL_CREDENTIAL *credential = SSL_CREDENTIAL_new_pre_shared_key(
            config->psk_key.data, config->psk_key.len, config->psk_identity.data, config->psk_identity.len, EVP_sha256(),
            (const uint8_t *)config->psk_import, strlen(config->psk_import));
        int used = credential && SSL_CTX_add1_credential(context->ssl, credential);
        SSL_CREDENTIAL_free(credential);
        return used;
    }
#endif
    SSL_CTX_set_psk_client_callback(context->ssl, on_psk_client);
    SSL_CTX_set_psk_server_callback(context->ssl, on_psk_server);
    return SSL_CTX_set_cipher_list(context->ssl, config->credentials == WT_BY_PSK ? "kPSK" : ECDHE_PSK_SUITES);
}

static int choose(wt_context *context, const wt_config *config) {
    SSL_CTX *ssl = context->ssl;
    int done = 1;
    if (config->suites_len) {
        char *list = join(config->suites, config->suites_len, suite_of);
#if !BORING
        /* What a scenario asks for by name is offered, also CCM_8, which is below the default level. */
        SSL_CTX_set_security_level(ssl, 0);
#endif
        done = list && SSL_CTX_set_cipher_list(ssl, list);
        free(list);
    }
    if (done && config->groups_len) {
        char *list = join(config->groups, config->groups_len, group_of);
        done = list && SSL_CTX_set1_groups_list(ssl, list);
        free(list);
    }
    /* A server whose order is given keeps to it; otherwise it follows the client's, as it does by default. */
    if (config->suites_len || config->groups_len) SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (done && config->alpn_len) {
        done = write_alpn(context, config);
        if (done && config->role == WT_SERVER) SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
        else if (done) done = SSL_CTX_set_alpn_protos(ssl, context->alpn, (unsigned)context->alpn_len) == 0;
    }
    return done;
}

static int use_sessions(wt_context *context, const wt_config *config) {
    SSL_CTX *ssl = context->ssl;
    int is_server = config->role == WT_SERVER;
    if (config->resumption != WT_RESUME_TICKETS) SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    if (config->resumption == WT_RESUME_NOT) {
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
        return 1;
    }
    if (is_server) {
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_SERVER);
        uint64_t seconds = config->ticket_lifetime / SECOND;
#if BORING
        if (seconds) SSL_CTX_set_session_psk_dhe_timeout(ssl, (uint32_t)seconds);
        if (seconds) SSL_CTX_set_timeout(ssl, (uint32_t)seconds);
#else
        if (seconds) SSL_CTX_set_timeout(ssl, (long)seconds);
#endif
        if (config->tickets && config->version == WT_V13 && !SSL_CTX_set_num_tickets(ssl, config->tickets)) return 0;
        static const uint8_t id_context[] = "windtunnel";
        return SSL_CTX_set_session_id_context(ssl, id_context, sizeof id_context - 1);
    }
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, on_new_session);
    return 1;
}

static int set_up(wt_context *context, const wt_config *config) {
    context->ssl = SSL_CTX_new(DTLS_method());
    if (!context->ssl) return 0;
    SSL_CTX *ssl = context->ssl;
    int version = DTLS1_2_VERSION;
#if BORING
    if (config->version == WT_V13) version = DTLS1_3_VERSION;
#else
    if (config->cookie && config->role == WT_SERVER) {
        SSL_CTX_set_options(ssl, SSL_OP_COOKIE_EXCHANGE);
        SSL_CTX_set_cookie_generate_cb(ssl, on_cookie_make);
        SSL_CTX_set_cookie_verify_cb(ssl, on_cookie_check);
    }
#endif
    if (!SSL_CTX_set_min_proto_version(ssl, version) || !SSL_CTX_set_max_proto_version(ssl, version)) return 0;
    SSL_CTX_set_options(ssl, SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_keylog_callback(ssl, on_key_log);
    int known = config->credentials == WT_BY_CERTIFICATE ? use_certificates(context, config) : use_psk(context, config);
    return known && choose(context, config) && use_sessions(context, config);
}

static void context_free(wt_context *context) {
    SSL_CTX_free(context->ssl);
    free(context->server_name);
    free(context->psk_identity);
    free(context->psk_key);
    free(context->alpn);
    free(context);
}

static wt_context *context_new(const wt_config *config, const wt_host *host, uint64_t now, const char **why) {
    static _Thread_local char text[TEXT_MAX];
    wt_world world = {.now = now, .unix_time = config->unix_time, .host = host};
    wt_context *context = calloc(1, sizeof *context);
    *why = "is out of memory";
    if (!context) return NULL;
    context->config = *config;
    context->server_name = wt_copy_text(config->server_name ? config->server_name : "");
    host->random(host->data, context->cookie_secret, sizeof context->cookie_secret);
    wt_enter(&world);
    ERR_clear_error();
    int done = set_up(context, config);
    if (!done) {
        describe(text, sizeof text, "its context could not be made");
        *why = text;
    }
    wt_leave();
    if (done) return context;
    context_free(context);
    return NULL;
}

/* ---- endpoints -------------------------------------------------------------------------------------------------- */

/* What a client asks for, checks and resumes. */
static int be_client(wt_peer *peer, wt_bytes session) {
    const char *name = peer->context->server_name;
    X509_VERIFY_PARAM *checked = SSL_get0_param(peer->ssl);
    if (*name && !X509_VERIFY_PARAM_set1_ip_asc(checked, name)) {
        ERR_clear_error();
        if (!X509_VERIFY_PARAM_set1_host(checked, name, strlen(name))) return 0;
        if (!SSL_set_tlsext_host_name(peer->ssl, name)) return 0;
    }
    if (session.len) {
        const uint8_t *at = session.data;
#if BORING
        SSL_SESSION *resumed = SSL_SESSION_from_bytes(at, session.len, peer->context->ssl);
#else
        SSL_SESSION *resumed = d2i_SSL_SESSION(NULL, &at, (long)session.len);
#endif
        int used = resumed && SSL_set_session(peer->ssl, resumed);
        SSL_SESSION_free(resumed);
        if (!used) return 0;
    }
    SSL_set_connect_state(peer->ssl);
    return 1;
}

static int peer_set_up(wt_peer *peer, wt_bytes session) {
    const wt_config *config = &peer->context->config;
    peer->ssl = SSL_new(peer->context->ssl);
    if (!peer->ssl || !SSL_set_app_data(peer->ssl, peer)) return 0;
    BIO *bio = BIO_new(queues);
    if (!bio) return 0;
    BIO_set_data(bio, peer);
    BIO_set_init(bio, 1);
    SSL_set_bio(peer->ssl, bio, bio);
    if (!SSL_set_mtu(peer->ssl, config->mtu)) return 0;
#if BORING
    if (config->timer_initial) DTLSv1_set_initial_timeout_duration(peer->ssl, (unsigned)(config->timer_initial / MILLISECOND));
#else
    if (config->timer_initial || config->timer_max) DTLS_set_timer_cb(peer->ssl, on_timer);
#endif
    if (config->role == WT_CLIENT) return be_client(peer, session);
    SSL_set_accept_state(peer->ssl);
    peer->started = 1;
    return 1;
}

static void peer_free(wt_peer *peer) {
    wt_base_enter(&peer->base, peer->base.world.now);
    SSL_free(peer->ssl);
    wt_leave();
    wt_base_clear(&peer->base);
    free(peer);
}

static wt_peer *peer_new(wt_context *context, const wt_host *host, const char *peer_address, wt_bytes session, uint64_t now,
                         const char **why) {
    wt_peer *peer = calloc(1, sizeof *peer);
    *why = "is out of memory";
    if (!peer) return NULL;
    peer->context = context;
    wt_base_init(&peer->base, &context->config, host, peer_address, now);
    wt_base_enter(&peer->base, now);
    ERR_clear_error();
    int done = peer_set_up(peer, session);
    if (!done) {
        describe(context->why, sizeof context->why, "its endpoint could not be made");
        *why = context->why;
    }
    wt_leave();
    if (done) return peer;
    peer_free(peer);
    return NULL;
}

static void report_established(wt_peer *peer) {
    const wt_config *config = &peer->context->config;
    const SSL_CIPHER *suite = SSL_get_current_cipher(peer->ssl);
    const char *name = suite ? SSL_CIPHER_standard_name(suite) : NULL;
    if (name && strncmp(name, "TLS_", 4) == 0) name += 4;
    wt_report(&peer->base, WT_EVENT_ESTABLISHED, "%s", name ? name : "");
    if (SSL_session_reused(peer->ssl)) wt_push(&peer->base.events, WT_EVENT_RESUMED, NULL, 0);
    if (config->role == WT_SERVER) {
        X509 *certificate = SSL_get_peer_certificate(peer->ssl);
        uint8_t *der = NULL;
        int len = certificate ? i2d_X509(certificate, &der) : 0;
        if (len > 0) wt_push(&peer->base.events, WT_EVENT_CLIENT_CERTIFICATE, der, (size_t)len);
        OPENSSL_free(der);
        X509_free(certificate);
    }
    const unsigned char *protocol = NULL;
    unsigned protocol_len = 0;
    SSL_get0_alpn_selected(peer->ssl, &protocol, &protocol_len);
    if (protocol_len) wt_push(&peer->base.events, WT_EVENT_ALPN, protocol, protocol_len);
    SSL_SESSION *session = SSL_get_session(peer->ssl);
    int resumes = config->role == WT_CLIENT && config->version == WT_V12 && config->resumption != WT_RESUME_NOT;
    if (resumes && session && SSL_SESSION_is_resumable(session)) report_session(peer, session);
}

/* Has the stack do all that it can: the handshake, and then reading, which is also how it repeats its last flight. */
static void go_on(wt_peer *peer) {
    while (!peer->ended) {
        ERR_clear_error();
        int result = peer->established ? SSL_read(peer->ssl, peer->plaintext, sizeof peer->plaintext)
                                       : SSL_do_handshake(peer->ssl);
        if (result > 0) {
            if (peer->established) wt_push(&peer->base.events, WT_EVENT_DATA, peer->plaintext, (size_t)result);
            else report_established(peer);
            peer->established = 1;
            continue;
        }
        switch (SSL_get_error(peer->ssl, result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return;
        case SSL_ERROR_ZERO_RETURN:
            wt_push(&peer->base.events, WT_EVENT_PEER_CLOSED, NULL, 0);
            /* Answering is left to the application (RFC 5246 section 7.2.1), and a session that ends without is not
             * resumed by OpenSSL. */
            if (SSL_shutdown(peer->ssl) < 0) ERR_clear_error();
            peer->ended = 1;
            return;
        default: fail(peer, "SSL_ERROR_SYSCALL"); return;
        }
    }
}

static void start(wt_peer *peer, uint64_t now) {
    wt_base_enter(&peer->base, now);
    peer->started = 1;
    go_on(peer);
    wt_leave();
}

static void datagram(wt_peer *peer, uint64_t now, const char *from, wt_bytes bytes) {
    (void)from;
    if (!peer->started || peer->ended) return;
    wt_base_enter(&peer->base, now);
    wt_push(&peer->base.in, 0, bytes.data, bytes.len);
    go_on(peer);
    wt_leave();
}

static void timeout(wt_peer *peer, uint64_t now) {
    if (!peer->started || peer->ended) return;
    wt_base_enter(&peer->base, now);
    ERR_clear_error();
    if (DTLSv1_handle_timeout(peer->ssl) < 0) fail(peer, "DTLSv1_handle_timeout failed");
    go_on(peer);
    wt_leave();
}

static uint64_t deadline(wt_peer *peer, uint64_t now) {
    if (!peer->started || peer->ended) return WT_NEVER;
    wt_base_enter(&peer->base, now);
    struct timeval left;
    int is_set = DTLSv1_get_timeout(peer->ssl, &left);
    wt_leave();
    if (!is_set) return WT_NEVER;
    /* It counts in whole microseconds. */
    return now / 1000 * 1000 + (uint64_t)left.tv_sec * SECOND + (uint64_t)left.tv_usec * 1000;
}

static int next_datagram(wt_peer *peer, uint64_t now, wt_bytes *bytes, const char **to) {
    (void)now;
    return wt_base_next_datagram(&peer->base, bytes, to);
}

static int next_event(wt_peer *peer, wt_event *event) { return wt_base_next_event(&peer->base, event); }

static void send_data(wt_peer *peer, uint64_t now, wt_bytes data) {
    char text[TEXT_MAX];
    if (!peer->established || peer->ended) {
        wt_report(&peer->base, WT_EVENT_SEND_REFUSED, peer->ended ? "the association has ended" : "the handshake is not over");
        return;
    }
    wt_base_enter(&peer->base, now);
    ERR_clear_error();
    if (SSL_write(peer->ssl, data.data, (int)data.len) <= 0) {
        describe(text, sizeof text, "SSL_write failed");
        wt_report(&peer->base, WT_EVENT_SEND_REFUSED, "%s", text);
    }
    wt_leave();
}

/* Goes on reading, so that the peer's own close_notify is heard. */
static void close_peer(wt_peer *peer, uint64_t now) {
    if (peer->ended) return;
    wt_base_enter(&peer->base, now);
    ERR_clear_error();
    if (SSL_shutdown(peer->ssl) < 0) ERR_clear_error();
    if (!peer->established) peer->ended = 1;
    wt_leave();
}

#if BORING
static const char *ask(wt_peer *peer, uint64_t now, uint32_t what, uint32_t argument) {
    if (what != WT_ASK_UPDATE_KEYS) return "has no connection IDs";
    wt_base_enter(&peer->base, now);
    ERR_clear_error();
    const char *why = NULL;
    /* The message is sent by the next write, be it of nothing. */
    if (!SSL_key_update(peer->ssl, argument ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) ||
        SSL_write(peer->ssl, "", 0) < 0) {
        describe(peer->context->why, sizeof peer->context->why, "SSL_key_update failed");
        why = peer->context->why;
    }
    wt_leave();
    return why;
}
#endif

static const char *export_keys(wt_peer *peer, const char *label, uint8_t *out, size_t len) {
    ERR_clear_error();
    if (SSL_export_keying_material(peer->ssl, out, len, label, strlen(label), NULL, 0, 0) == 1) return NULL;
    describe(peer->context->why, sizeof peer->context->why, "SSL_export_keying_material failed");
    return peer->context->why;
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

/* The names of what it can be asked for, which `unsupported` looks up. */
static int list_suites(void) {
    SSL_CTX *ctx = SSL_CTX_new(DTLS_method());
    if (!ctx) return 0;
    SSL_CTX_set_psk_client_callback(ctx, on_psk_client);
    int done = SSL_CTX_set_cipher_list(ctx, ANY_SUITE) && SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION);
    SSL *ssl = done ? SSL_new(ctx) : NULL;
    STACK_OF(SSL_CIPHER) *all = ssl ? SUPPORTED_CIPHERS(ssl) : NULL;
    for (size_t i = 0; all && i < (size_t)sk_SSL_CIPHER_num(all) && suite_count < SUITES_MAX; i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(all, COUNT(i));
        const char *name = SSL_CIPHER_standard_name(suite);
        if (!name || strncmp(name, "TLS_", 4) != 0) continue;
        suite_names[suite_count] = name + 4;
        suite_own_names[suite_count++] = SSL_CIPHER_get_name(suite);
    }
    FREE_CIPHERS(all);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return suite_count > 0;
}

static const char *prepare(void) {
#if !BORING
    /* Not what the machine is configured to. */
    if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL)) return "OPENSSL_init_ssl failed";
#endif
    queues = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "queues");
    if (!queues || !BIO_meth_set_write(queues, queue_write) || !BIO_meth_set_read(queues, queue_read) ||
        !BIO_meth_set_ctrl(queues, queue_ctrl))
        return "BIO_meth_new failed";
    if (!take_over_random()) return "its random generator cannot be replaced";
    return list_suites() ? NULL : "it lists no cipher suites";
}

static const wt_identity *identity(void) {
    static wt_identity who = {.name = STACK_NAME, .about = STACK_ABOUT, .features = STACK_FEATURES, .determinism = WT_BYTES};
    who.version = stack_version();
    return &who;
}

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
    .send = send_data,
    .close = close_peer,
#if BORING
    .ask = ask,
#endif
    .export_keys = export_keys,
};

const wt_peer_table *wt_table(void);
const wt_peer_table *wt_table(void) { return &table; }
