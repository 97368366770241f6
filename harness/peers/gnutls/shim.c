/* GnuTLS: DTLS 1.2.
 *
 * It asks libc for the time, and seeds a generator for each thread from getrandom: a run has a thread of its own, so both
 * are taken over. Cookies are the application's, so the shim sends and checks them with the library's functions. */
#include "queue.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLISECOND 1000000ull
#define SECOND 1000000000ull
/* Its own values. */
#define TIMER_INITIAL_MS 1000u
#define TOTAL_MS 60000u
/* Calls that neither read nor finish anything, before it counts as waiting. */
#define CALLS_MAX 64
#define RECORD_MAX 16384

/* A session that a server remembers. */
struct remembered {
    struct remembered *next;
    gnutls_datum_t id, state;
};

struct wt_context {
    wt_world world;
    uint8_t role, credentials, cookie, client_auth, raw_public_keys, resumption;
    uint16_t mtu, record_size_limit;
    unsigned timer_ms, lifetime_s;
    char *server_name;
    gnutls_datum_t psk_identity, psk_key, peer_key;
    gnutls_datum_t *alpn;
    unsigned alpn_len;
    gnutls_priority_t priority;
    gnutls_certificate_credentials_t certificates;
    gnutls_psk_client_credentials_t psk_client;
    gnutls_psk_server_credentials_t psk_server;
    gnutls_datum_t cookie_key, ticket_key;
    struct remembered *remembered;
};

struct wt_peer {
    wt_base base;
    wt_context *context;
    gnutls_session_t session;
    uint64_t began; /* the handshake */
    uint64_t deadline;
    int sent;      /* the library has sent since its timer was last asked for */
    int verified;  /* the cookie was right, or none was wanted */
    int established, closed, failed;
};

static _Thread_local char refusal[256];

static gnutls_datum_t copied(wt_bytes bytes) {
    return (gnutls_datum_t){wt_copy(bytes.data, bytes.len), (unsigned)bytes.len};
}

/* The library takes bytes that it only reads by pointers to what could be written. */
static gnutls_datum_t datum(wt_bytes bytes) {
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)bytes.data, (unsigned)bytes.len};
}

static int same(const gnutls_datum_t *a, const gnutls_datum_t *b) {
    return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

/* ---- what the library asks for ---- */

static ssize_t push(gnutls_transport_ptr_t data, const void *bytes, size_t len) {
    wt_peer *peer = data;
    wt_push(&peer->base.out, 0, bytes, len);
    peer->sent = 1;
    return (ssize_t)len;
}

static ssize_t pull(gnutls_transport_ptr_t data, void *out, size_t capacity) {
    wt_peer *peer = data;
    long len = wt_base_read(&peer->base, out, capacity);
    if (len < 0) gnutls_transport_set_errno(peer->session, EAGAIN);
    return len;
}

static int pull_timeout(gnutls_transport_ptr_t data, unsigned ms) {
    wt_peer *peer = data;
    peer->base.dry = wt_is_empty(&peer->base.in);
    return !peer->base.dry;
}

static int log_keys(gnutls_session_t session, const char *label, const gnutls_datum_t *secret) {
    wt_peer *peer = gnutls_session_get_ptr(session);
    gnutls_datum_t client, server;
    gnutls_session_get_random(session, &client, &server);
    wt_report_secret(&peer->base, label, (wt_bytes){client.data, client.size}, (wt_bytes){secret->data, secret->size});
    return 0;
}

/* The audit log tells of records that were dropped. */
static void audit(gnutls_session_t session, const char *text) {
    wt_peer *peer = session ? gnutls_session_get_ptr(session) : NULL;
    if (peer && !strncmp(text, "Discarded", 9)) wt_push(&peer->base.events, WT_EVENT_DISCARDED, text, strcspn(text, "\n"));
}

static int find_psk(gnutls_session_t session, const gnutls_datum_t *identity, gnutls_datum_t *key) {
    const wt_context *context = ((wt_peer *)gnutls_session_get_ptr(session))->context;
    if (!same(identity, &context->psk_identity)) return -1;
    key->data = gnutls_malloc(context->psk_key.size);
    if (!key->data) return -1;
    memcpy(key->data, context->psk_key.data, context->psk_key.size);
    key->size = context->psk_key.size;
    return 0;
}

/* For what the library's own check does not cover: bare keys, and clients that may come without a certificate. */
static int verify(gnutls_session_t session) {
    const wt_context *context = ((wt_peer *)gnutls_session_get_ptr(session))->context;
    unsigned count = 0, status = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    int may_lack = context->role == WT_SERVER && context->client_auth != WT_AUTH_REQUIRED;
    if (!chain || !count) return may_lack ? 0 : GNUTLS_E_CERTIFICATE_REQUIRED;
    if (context->raw_public_keys)
        return same(chain, &context->peer_key) ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
    int ret = gnutls_certificate_verify_peers2(session, &status);
    return ret ? ret : status ? GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR : 0;
}

static int forget(void *data, gnutls_datum_t id) {
    for (struct remembered **at = &((wt_context *)data)->remembered; *at; at = &(*at)->next) {
        struct remembered *found = *at;
        if (!same(&found->id, &id)) continue;
        *at = found->next;
        free(found->id.data);
        free(found->state.data);
        free(found);
        return 0;
    }
    return -1;
}

static int remember(void *data, gnutls_datum_t id, gnutls_datum_t state) {
    wt_context *context = data;
    struct remembered *made = malloc(sizeof *made);
    if (!made) abort();
    forget(data, id);
    *made = (struct remembered){
        .next = context->remembered,
        .id = copied((wt_bytes){id.data, id.size}),
        .state = copied((wt_bytes){state.data, state.size}),
    };
    context->remembered = made;
    return 0;
}

static gnutls_datum_t recall(void *data, gnutls_datum_t id) {
    gnutls_datum_t state = {NULL, 0};
    for (struct remembered *at = ((wt_context *)data)->remembered; at; at = at->next) {
        if (!same(&at->id, &id)) continue;
        state.data = gnutls_malloc(at->state.size);
        if (!state.data) break;
        memcpy(state.data, at->state.data, at->state.size);
        state.size = at->state.size;
        break;
    }
    return state;
}

/* ---- names ---- */

struct suite {
    char name[96]; /* as IANA has it, without TLS_ */
    gnutls_kx_algorithm_t kx;
    gnutls_cipher_algorithm_t cipher;
    gnutls_mac_algorithm_t mac;
};

/* The library's suite of this index: 1, or 0 behind the last. TLS_ECDHE_PSK_CHACHA20_POLY1305 is its name for
 * ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256. */
static int suite_at(size_t index, struct suite *suite) {
    unsigned char number[2];
    gnutls_protocol_t version;
    const char *own = gnutls_cipher_suite_info(index, number, &suite->kx, &suite->cipher, &suite->mac, &version);
    if (!own) return 0;
    suite->name[0] = 0;
    const char *kx = gnutls_kx_get_name(suite->kx);
    size_t len = kx ? strlen(kx) : 0;
    if (strncmp(own, "TLS_", 4) || strlen(own) < 4 + len + 1) return 1;
    const char *rest = own + 4 + len + 1;
    const char *end = strstr(rest, "_SHA1");
    int kept = end && !end[5] ? (int)(end - rest) + 4 : (int)strlen(rest);
    const char *hash = suite->cipher == GNUTLS_CIPHER_CHACHA20_POLY1305 ? "_SHA256" : "";
    snprintf(suite->name, sizeof suite->name, "%s_WITH_%.*s%s", kx, kept, rest, hash);
    for (size_t i = 0; i < len; i++)
        if (suite->name[i] == '-') suite->name[i] = '_';
    return 1;
}

static int suite_named(const char *name, struct suite *suite) {
    for (size_t i = 0; suite_at(i, suite); i++)
        if (!strcmp(name, suite->name)) return 1;
    return 0;
}

static const char *suite_of(gnutls_session_t session, struct suite *suite) {
    for (size_t i = 0; suite_at(i, suite); i++)
        if (suite->kx == gnutls_kx_get(session) && suite->cipher == gnutls_cipher_get(session) &&
            suite->mac == gnutls_mac_get(session))
            return suite->name;
    return "";
}

static const char *group_named(const char *name) {
    static const char *const NAMES[][2] = {
        {"x25519", "X25519"},
        {"secp256r1", "SECP256R1"},
        {"secp384r1", "SECP384R1"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (!strcmp(name, NAMES[i][0])) return NAMES[i][1];
    return NULL;
}

/* ---- the priority string ---- */

struct text {
    char bytes[1024];
    size_t len;
};

static void append(struct text *text, const char *more) {
    size_t len = strlen(more);
    if (text->len + len >= sizeof text->bytes) return;
    memcpy(text->bytes + text->len, more, len + 1);
    text->len += len;
}

/* Appends ":+<kind><name>" unless it is there. */
static void allow(struct text *text, const char *kind, const char *name) {
    char item[64];
    snprintf(item, sizeof item, ":+%s%s", kind, name);
    const char *found = strstr(text->bytes, item);
    char after = found ? found[strlen(item)] : 0;
    if (!found || (after != 0 && after != ':')) append(text, item);
}

static void priorities(const wt_config *config, struct text *text) {
    struct suite suite;
    *text = (struct text){.len = 0};
    append(text, "NORMAL:-VERS-ALL:+VERS-DTLS1.2");
    if (config->suites_len) {
        append(text, ":-KX-ALL:-CIPHER-ALL:-MAC-ALL");
        for (size_t i = 0; i < config->suites_len; i++) {
            if (!suite_named(config->suites[i], &suite)) continue;
            allow(text, "", gnutls_kx_get_name(suite.kx));
            allow(text, "", gnutls_cipher_get_name(suite.cipher));
            allow(text, "", gnutls_mac_get_name(suite.mac));
        }
    } else if (config->credentials != WT_BY_CERTIFICATE) {
        append(text, config->credentials == WT_BY_PSK ? ":-KX-ALL:+PSK" : ":-KX-ALL:+ECDHE-PSK");
        /* Last of all: constrained devices have nothing else with a key alone (RFC 7925 section 4.2). */
        append(text, ":+AES-128-CCM-8");
    }
    if (config->groups_len) {
        append(text, ":-GROUP-ALL");
        for (size_t i = 0; i < config->groups_len; i++) allow(text, "GROUP-", group_named(config->groups[i]));
    }
    if (config->raw_public_keys) append(text, ":-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK");
    if (config->record_size_limit) append(text, ":%ALLOW_SMALL_RECORDS");
}

/* ---- refusals ---- */

/* Key exchanges, ciphers and MACs are chosen each for itself, so a list of suites may bring others along. */
static const char *suites_refused(const wt_config *config) {
    struct suite suite;
    for (size_t i = 0; i < config->suites_len; i++)
        if (!suite_named(config->suites[i], &suite)) {
            snprintf(refusal, sizeof refusal, "has no cipher suite %s", config->suites[i]);
            return refusal;
        }
    struct text text;
    gnutls_priority_t priority;
    priorities(config, &text);
    int ret = gnutls_priority_init(&priority, text.bytes, NULL);
    if (ret) return gnutls_strerror(ret);
    size_t found = 0;
    int exact = 1;
    for (unsigned i = 0; config->suites_len; i++) {
        unsigned index;
        ret = gnutls_priority_get_cipher_suite_index(priority, i, &index);
        if (ret == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) break;
        if (ret < 0) continue; /* one that has no index of its own */
        exact &= found < config->suites_len && suite_at(index, &suite) && !strcmp(suite.name, config->suites[found]);
        found++;
    }
    gnutls_priority_deinit(priority);
    if (exact && found == config->suites_len) return NULL;
    return "orders key exchanges, ciphers and MACs apart, which does not give this list of cipher suites";
}

static const char *unsupported(const wt_config *config) {
    if (config->version != WT_V12) return "speaks DTLS 1.2 alone";
    for (size_t i = 0; i < config->groups_len; i++)
        if (!group_named(config->groups[i])) {
            snprintf(refusal, sizeof refusal, "has no key exchange over %s", config->groups[i]);
            return refusal;
        }
    if (config->timer_initial % MILLISECOND || config->timer_initial / MILLISECOND > TOTAL_MS)
        return "counts its timer in milliseconds, up to a minute";
    if (config->timer_max) return "cannot set the longest interval of its timer";
    if (config->give_up) return "limits the time of a whole handshake, not of a flight";
    if (config->record_size_limit && config->record_size_limit < 64) return "takes no limit on records below 64 bytes";
    if (config->tickets > 1) return "gives one ticket after a handshake";
    if (config->ticket_lifetime % SECOND || config->ticket_lifetime / SECOND > INT32_MAX)
        return "counts the lifetime of sessions in seconds, up to 2^31";
    return suites_refused(config);
}

/* ---- what endpoints share ---- */

static int add_chain(wt_context *context, const wt_config *config, gnutls_x509_privkey_t key) {
    gnutls_x509_crt_t *chain = calloc(config->chain_len, sizeof *chain);
    if (!chain) abort();
    size_t made = 0;
    int ret = 0;
    while (!ret && made < config->chain_len) {
        gnutls_datum_t der = datum(config->chain[made]);
        ret = gnutls_x509_crt_init(&chain[made]);
        if (ret) break;
        ret = gnutls_x509_crt_import(chain[made++], &der, GNUTLS_X509_FMT_DER);
    }
    if (!ret) ret = gnutls_certificate_set_x509_key(context->certificates, chain, (int)made, key);
    while (made > 0) gnutls_x509_crt_deinit(chain[--made]);
    free(chain);
    return ret < 0 ? ret : 0;
}

/* Its own bare key, which comes along with the private one. */
static int add_raw_key(wt_context *context, gnutls_datum_t der, gnutls_x509_privkey_t key) {
    gnutls_privkey_t private;
    gnutls_pubkey_t public;
    gnutls_datum_t spki = {NULL, 0};
    int ret = gnutls_privkey_init(&private);
    if (ret) return ret;
    ret = gnutls_pubkey_init(&public);
    if (!ret) {
        ret = gnutls_privkey_import_x509(private, key, 0);
        if (!ret) ret = gnutls_pubkey_import_privkey(public, private, GNUTLS_KEY_DIGITAL_SIGNATURE, 0);
        if (!ret) ret = gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &spki);
        if (!ret)
            ret = gnutls_certificate_set_rawpk_key_mem(context->certificates, &spki, &der, GNUTLS_X509_FMT_DER, NULL,
                                                       GNUTLS_KEY_DIGITAL_SIGNATURE, NULL, 0, 0);
        gnutls_pubkey_deinit(public);
    }
    gnutls_privkey_deinit(private);
    gnutls_free(spki.data);
    return ret < 0 ? ret : 0;
}

/* The library reads no second version of PKCS #8, which has the public key as well (RFC 5958). Only Ed25519 keys come so,
 * and their first version is of fixed length. */
static gnutls_datum_t first_version(wt_bytes der, uint8_t room[48]) {
    static const uint8_t HEAD[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                   0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    if (!wt_has_ed25519(der) || der.len < 48) return datum(der);
    memcpy(room, HEAD, sizeof HEAD);
    memcpy(room + sizeof HEAD, der.data + sizeof HEAD, 32);
    return (gnutls_datum_t){room, 48};
}

static int add_key(wt_context *context, const wt_config *config) {
    gnutls_x509_privkey_t key;
    uint8_t room[48];
    gnutls_datum_t der = first_version(config->key, room);
    int ret = gnutls_x509_privkey_init(&key);
    if (ret) return ret;
    ret = gnutls_x509_privkey_import_pkcs8(key, &der, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN);
    if (!ret) ret = config->raw_public_keys ? add_raw_key(context, der, key) : add_chain(context, config, key);
    gnutls_x509_privkey_deinit(key);
    return ret;
}

static int configure_certificates(wt_context *context, const wt_config *config) {
    int ret = gnutls_certificate_allocate_credentials(&context->certificates);
    if (ret) return ret;
    if (config->key.len && (ret = add_key(context, config))) return ret;
    if (config->raw_public_keys || (config->role == WT_SERVER && config->client_auth == WT_AUTH_OPTIONAL))
        gnutls_certificate_set_verify_function(context->certificates, verify);
    if (!config->root.len) return 0;
    gnutls_datum_t root = datum(config->root);
    ret = gnutls_certificate_set_x509_trust_mem(context->certificates, &root, GNUTLS_X509_FMT_DER);
    return ret < 0 ? ret : 0;
}

static int configure_psk(wt_context *context, const wt_config *config) {
    context->psk_identity = copied(config->psk_identity);
    context->psk_key = copied(config->psk_key);
    int ret;
    if (config->role == WT_SERVER) {
        if ((ret = gnutls_psk_allocate_server_credentials(&context->psk_server))) return ret;
        gnutls_psk_set_server_credentials_function2(context->psk_server, find_psk);
        return 0;
    }
    if ((ret = gnutls_psk_allocate_client_credentials(&context->psk_client))) return ret;
    return gnutls_psk_set_client_credentials2(context->psk_client, &context->psk_identity, &context->psk_key,
                                              GNUTLS_PSK_KEY_RAW);
}

static int configure(wt_context *context, const wt_config *config) {
    struct text text;
    priorities(config, &text);
    int ret = gnutls_priority_init(&context->priority, text.bytes, NULL);
    if (ret) return ret;
    context->peer_key = copied(config->peer_key);
    context->alpn_len = (unsigned)config->alpn_len;
    context->alpn = calloc(config->alpn_len + 1, sizeof *context->alpn);
    if (!context->alpn) abort();
    for (size_t i = 0; i < config->alpn_len; i++)
        context->alpn[i] = copied((wt_bytes){(const uint8_t *)config->alpn[i], strlen(config->alpn[i])});
    if (config->role == WT_SERVER) {
        if (config->cookie && (ret = gnutls_key_generate(&context->cookie_key, GNUTLS_COOKIE_KEY_SIZE))) return ret;
        if (config->resumption == WT_RESUME_TICKETS && (ret = gnutls_session_ticket_key_generate(&context->ticket_key)))
            return ret;
    }
    if (config->credentials == WT_BY_CERTIFICATE) return configure_certificates(context, config);
    return configure_psk(context, config);
}

static void context_free(wt_context *context) {
    if (context->certificates) gnutls_certificate_free_credentials(context->certificates);
    if (context->psk_client) gnutls_psk_free_client_credentials(context->psk_client);
    if (context->psk_server) gnutls_psk_free_server_credentials(context->psk_server);
    if (context->priority) gnutls_priority_deinit(context->priority);
    gnutls_free(context->cookie_key.data);
    gnutls_free(context->ticket_key.data);
    while (context->remembered) forget(context, context->remembered->id);
    for (unsigned i = 0; i < context->alpn_len; i++) free(context->alpn[i].data);
    free(context->alpn);
    free(context->psk_identity.data);
    free(context->psk_key.data);
    free(context->peer_key.data);
    free(context->server_name);
    free(context);
}

static wt_context *context_new(const wt_config *config, const wt_host *host, uint64_t now, const char **why) {
    wt_context *context = calloc(1, sizeof *context);
    if (!context) abort();
    context->world = (wt_world){.now = now, .unix_time = config->unix_time, .host = host};
    context->role = config->role;
    context->credentials = config->credentials;
    context->cookie = config->role == WT_SERVER && config->cookie;
    context->client_auth = config->client_auth;
    context->raw_public_keys = config->raw_public_keys;
    context->resumption = config->resumption;
    context->mtu = config->mtu;
    context->record_size_limit = config->record_size_limit;
    context->timer_ms = config->timer_initial ? (unsigned)(config->timer_initial / MILLISECOND) : TIMER_INITIAL_MS;
    context->lifetime_s = (unsigned)(config->ticket_lifetime / SECOND);
    context->server_name = wt_copy_text(config->server_name);
    wt_enter(&context->world);
    int ret = configure(context, config);
    wt_leave();
    if (!ret) return context;
    *why = gnutls_strerror(ret);
    context_free(context);
    return NULL;
}

/* ---- one endpoint ---- */

static int set_up_server(wt_peer *peer) {
    const wt_context *context = peer->context;
    gnutls_session_t session = peer->session;
    static const gnutls_certificate_request_t REQUESTS[] = {GNUTLS_CERT_IGNORE, GNUTLS_CERT_REQUEST, GNUTLS_CERT_REQUIRE};
    gnutls_certificate_server_set_request(session, REQUESTS[context->client_auth]);
    if (context->client_auth == WT_AUTH_REQUIRED && !context->raw_public_keys)
        gnutls_session_set_verify_cert(session, NULL, 0);
    if (context->lifetime_s) gnutls_db_set_cache_expiration(session, (int)context->lifetime_s);
    if (context->resumption == WT_RESUME_SESSION_IDS) {
        gnutls_db_set_ptr(session, peer->context);
        gnutls_db_set_store_function(session, remember);
        gnutls_db_set_retrieve_function(session, recall);
        gnutls_db_set_remove_function(session, forget);
    }
    if (context->resumption != WT_RESUME_TICKETS) return 0;
    return gnutls_session_ticket_enable_server(session, &context->ticket_key);
}

static int set_up_client(wt_peer *peer, wt_bytes resumed) {
    const wt_context *context = peer->context;
    const char *name = context->server_name;
    int ret = gnutls_server_name_set(peer->session, GNUTLS_NAME_DNS, name, strlen(name));
    if (ret) return ret;
    if (context->credentials == WT_BY_CERTIFICATE && !context->raw_public_keys)
        gnutls_session_set_verify_cert(peer->session, name, 0);
    return resumed.len ? gnutls_session_set_data(peer->session, resumed.data, resumed.len) : 0;
}

static int set_up(wt_peer *peer, wt_bytes resumed) {
    const wt_context *context = peer->context;
    int is_server = context->role == WT_SERVER;
    unsigned flags = GNUTLS_DATAGRAM | GNUTLS_NONBLOCK | (is_server ? GNUTLS_SERVER : GNUTLS_CLIENT);
    if (context->resumption != WT_RESUME_TICKETS) flags |= GNUTLS_NO_TICKETS;
    if (context->raw_public_keys) flags |= GNUTLS_ENABLE_RAWPK;
    int ret = gnutls_init(&peer->session, flags);
    if (ret) return ret;
    gnutls_session_t session = peer->session;
    gnutls_session_set_ptr(session, peer);
    gnutls_transport_set_ptr(session, peer);
    gnutls_transport_set_push_function(session, push);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_pull_timeout_function(session, pull_timeout);
    gnutls_session_set_keylog_function(session, log_keys);
    gnutls_dtls_set_mtu(session, context->mtu);
    gnutls_dtls_set_timeouts(session, context->timer_ms, TOTAL_MS);
    if ((ret = gnutls_priority_set(session, context->priority))) return ret;
    if (context->certificates) ret = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, context->certificates);
    if (!ret && context->psk_client) ret = gnutls_credentials_set(session, GNUTLS_CRD_PSK, context->psk_client);
    if (!ret && context->psk_server) ret = gnutls_credentials_set(session, GNUTLS_CRD_PSK, context->psk_server);
    if (!ret && context->alpn_len)
        ret = gnutls_alpn_set_protocols(session, context->alpn, context->alpn_len,
                                        GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
    if (!ret && context->record_size_limit)
        ret = (int)gnutls_record_set_max_recv_size(session, context->record_size_limit);
    if (ret) return ret;
    return is_server ? set_up_server(peer) : set_up_client(peer, resumed);
}

static void peer_free(wt_peer *peer) {
    if (peer->session) gnutls_deinit(peer->session);
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
    peer->began = peer->deadline = WT_NEVER;
    peer->verified = !context->cookie;
    wt_base_enter(&peer->base, now);
    int ret = set_up(peer, session);
    wt_leave();
    if (!ret) return peer;
    *why = gnutls_strerror(ret);
    peer_free(peer);
    return NULL;
}

static void describe(wt_peer *peer, int error, char *out, size_t capacity) {
    gnutls_datum_t more = {NULL, 0};
    const char *detail = NULL;
    if (error == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        detail = gnutls_alert_get_name(gnutls_alert_get(peer->session));
    } else if (error == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
        unsigned status = gnutls_session_get_verify_cert_status(peer->session);
        if (!gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &more, 0)) detail = (char *)more.data;
    }
    snprintf(out, capacity, "%s%s%s", gnutls_strerror(error), detail ? " " : "", detail ? detail : "");
    gnutls_free(more.data);
}

/* The library leaves alerts for its own errors to the application, and gives it a function for them. */
static void fail(wt_peer *peer, int error) {
    char text[384];
    describe(peer, error, text, sizeof text);
    wt_report(&peer->base, WT_EVENT_FAILED, "%s", text);
    peer->failed = 1;
    peer->deadline = WT_NEVER;
    if (error != GNUTLS_E_FATAL_ALERT_RECEIVED && error != GNUTLS_E_TIMEDOUT)
        gnutls_alert_send_appropriate(peer->session, error);
}

static void report_session(wt_peer *peer) {
    gnutls_datum_t state;
    if (gnutls_session_get_data2(peer->session, &state)) return;
    wt_push(&peer->base.events, WT_EVENT_SESSION, state.data, state.size);
    gnutls_free(state.data);
}

static void report_established(wt_peer *peer) {
    struct suite suite;
    const wt_context *context = peer->context;
    wt_report(&peer->base, WT_EVENT_ESTABLISHED, "%s", suite_of(peer->session, &suite));
    if (gnutls_session_is_resumed(peer->session)) wt_report(&peer->base, WT_EVENT_RESUMED, "%s", "");
    unsigned count = 0;
    const gnutls_datum_t *chain = NULL;
    if (context->role == WT_SERVER && context->client_auth != WT_AUTH_NONE)
        chain = gnutls_certificate_get_peers(peer->session, &count);
    if (chain && count) wt_push(&peer->base.events, WT_EVENT_CLIENT_CERTIFICATE, chain->data, chain->size);
    gnutls_datum_t protocol;
    if (!gnutls_alpn_get_selected_protocol(peer->session, &protocol))
        wt_push(&peer->base.events, WT_EVENT_ALPN, protocol.data, protocol.size);
    if (context->role == WT_CLIENT && context->resumption != WT_RESUME_NOT) report_session(peer);
}

/* One call into the library: what it returned, above zero to go on. */
static int step(wt_peer *peer) {
    if (!peer->established) {
        int ret = gnutls_handshake(peer->session);
        if (ret) return ret;
        peer->established = 1;
        report_established(peer);
        return 1;
    }
    uint8_t data[RECORD_MAX + 256];
    int ret = (int)gnutls_record_recv(peer->session, data, sizeof data);
    if (ret > 0) wt_push(&peer->base.events, WT_EVENT_DATA, data, (size_t)ret);
    if (ret == 0) {
        wt_report(&peer->base, WT_EVENT_PEER_CLOSED, "%s", "");
        peer->closed = 1;
    }
    return ret;
}

/* Its timer runs from when it last sent, and counts in whole milliseconds: asked at once, the instant is exact. When it has
 * passed without a repetition the library waits for the rest of a flight, and repeats nothing before the whole time is over. */
static void set_deadline(wt_peer *peer, uint64_t now) {
    if (peer->established || peer->failed) {
        peer->deadline = WT_NEVER;
    } else if (peer->sent) {
        peer->deadline = now + gnutls_dtls_get_timeout(peer->session) * MILLISECOND;
    } else if (peer->deadline <= now) {
        uint64_t end = peer->began + (TOTAL_MS + 1) * MILLISECOND;
        peer->deadline = end > now ? end : now + MILLISECOND;
    }
    peer->sent = 0;
}

/* Goes on until the library has asked for a datagram and there was none: it keeps records of the last one. */
static void drive(wt_peer *peer) {
    int calls = 0;
    if (peer->began == WT_NEVER) peer->began = peer->base.world.now;
    while (!peer->failed && !peer->closed && calls < CALLS_MAX) {
        peer->base.dry = 0;
        int ret = step(peer);
        if (ret < 0 && gnutls_error_is_fatal(ret)) fail(peer, ret);
        else if (ret < 0 && peer->base.dry) break;
        calls = ret < 0 ? calls + 1 : 0;
    }
    if (peer->failed || peer->closed) wt_clear(&peer->base.in);
    set_deadline(peer, peer->base.world.now);
}

/* A server's first datagrams, until one has the cookie. Nothing is kept of the others. */
static int has_cookie(wt_peer *peer, wt_bytes bytes) {
    gnutls_dtls_prestate_st state = {0};
    char *address = peer->base.peer_address;
    gnutls_datum_t *key = &peer->context->cookie_key;
    void *message = (void *)(uintptr_t)bytes.data;
    if (gnutls_dtls_cookie_verify(key, address, strlen(address), message, bytes.len, &state) >= 0) {
        gnutls_dtls_prestate_set(peer->session, &state);
        return 1;
    }
    int ret = gnutls_dtls_cookie_send(key, address, strlen(address), &state, peer, push);
    if (ret < 0) wt_report(&peer->base, WT_EVENT_DISCARDED, "%s", gnutls_strerror(ret));
    peer->sent = 0;
    return 0;
}

static void start(wt_peer *peer, uint64_t now) {
    wt_base_enter(&peer->base, now);
    if (peer->context->role == WT_CLIENT) drive(peer);
    wt_leave();
}

static void datagram(wt_peer *peer, uint64_t now, const char *from, wt_bytes bytes) {
    wt_base_enter(&peer->base, now);
    if (!peer->verified) peer->verified = has_cookie(peer, bytes);
    if (peer->verified) {
        wt_push(&peer->base.in, 0, bytes.data, bytes.len);
        drive(peer);
    }
    wt_leave();
}

static void timeout(wt_peer *peer, uint64_t now) {
    wt_base_enter(&peer->base, now);
    drive(peer);
    wt_leave();
}

static uint64_t deadline(wt_peer *peer, uint64_t now) { return peer->deadline; }

static int next_datagram(wt_peer *peer, uint64_t now, wt_bytes *bytes, const char **to) {
    return wt_base_next_datagram(&peer->base, bytes, to);
}

static int next_event(wt_peer *peer, wt_event *event) { return wt_base_next_event(&peer->base, event); }

static void send_data(wt_peer *peer, uint64_t now, wt_bytes data) {
    wt_base_enter(&peer->base, now);
    ssize_t ret = peer->failed ? GNUTLS_E_INVALID_SESSION : gnutls_record_send(peer->session, data.data, data.len);
    if (ret < 0) wt_report(&peer->base, WT_EVENT_SEND_REFUSED, "%s", gnutls_strerror((int)ret));
    peer->sent = 0;
    wt_leave();
}

static void close_peer(wt_peer *peer, uint64_t now) {
    wt_base_enter(&peer->base, now);
    if (!peer->failed) {
        int ret = gnutls_bye(peer->session, GNUTLS_SHUT_WR);
        if (ret) fail(peer, ret);
    }
    wt_leave();
}

static const char *export_keys(wt_peer *peer, const char *label, uint8_t *out, size_t len) {
    int ret = gnutls_prf_rfc5705(peer->session, strlen(label), label, 0, NULL, len, (char *)out);
    return ret ? gnutls_strerror(ret) : NULL;
}

/* ---- the table ---- */

static wt_identity who = {
    .name = "gnutls",
    .about = "GnuTLS, the system's shared library",
    .features = WT_DTLS12 | WT_CERTIFICATES | WT_PSK | WT_CLIENT_AUTH | WT_RAW_PUBLIC_KEYS | WT_RESUMPTION | WT_ALPN |
                WT_RECORD_SIZE_LIMIT,
    .determinism = WT_BYTES,
};

static const char *prepare(void) {
    int ret = gnutls_global_init();
    if (ret) return gnutls_strerror(ret);
    gnutls_global_set_audit_log_function(audit);
    who.version = gnutls_check_version(NULL);
    return NULL;
}

static const wt_identity *identity(void) { return &who; }

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
        .export_keys = export_keys,
    };
    return &TABLE;
}
