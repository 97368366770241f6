/*
 * The interface between Windtunnel and a DTLS stack that is built into a shared object of its own.
 *
 * A plugin is one shared object, `peer_<name>.so`. It exports one function:
 *
 *     const wt_peer_table *windtunnel_peer(void);
 *
 * which returns a table that stays valid for ever. Everything else goes through that table. `harness/peers/template` is a
 * complete plugin of two hundred lines; start from a copy of it.
 *
 * The rules
 *
 * 1. No I/O. A datagram comes in by `datagram`, and what the stack sends is fetched by `next_datagram`. Neither sockets,
 *    files nor threads.
 * 2. No clock. Every call says what time it is: `now`, in nanoseconds since the run began. Dates come from
 *    `config->unix_time`, the date at `now == 0` in seconds since 1970. A stack that insists on asking the system must be
 *    made to ask the plugin (`common/takeover.c` does that for the clocks of libc).
 * 3. No randomness but `host->random`. The same calls with the same random bytes give the same datagrams. A stack that
 *    cannot do that says so by `WT_TIMING` instead of `WT_BYTES`.
 * 4. Never wait. A call does what can be done now and returns.
 * 5. One thread at a time: a context and its peers are used by one thread from creation to destruction, each run by a fresh
 *    one. Different contexts are used by different threads at the same time.
 * 6. Honour an option or refuse it by `unsupported`. Never ignore one: a run would pass on other terms than it says.
 * 7. Report what the stack does, hide nothing, add nothing: a retransmission the stack does not make is not made up for.
 *
 * Pointers in arguments are valid during the call only. Pointers that a plugin returns stay valid until the next call with
 * the same context or peer. Strings are UTF-8 and end with a zero byte. The host never passes NULL for a table's argument
 * unless it is said here. Nothing may unwind or longjmp through the interface.
 *
 * Order of calls
 *
 *     windtunnel_peer -> prepare -> { unsupported | context_new -> { peer_new -> ... -> peer_free }* -> context_free }*
 *
 * At one instant the host calls `start` (a client, once), or `datagram`, or `timeout` if the deadline has come, or what its
 * application does, and after each of these `next_event` until there is none and `next_datagram` until there is none, in
 * turns, and then `deadline`. A stack that only reads when it is asked to has to be asked in each `datagram` and `timeout`,
 * also after the handshake: otherwise it never repeats a last flight.
 */
#ifndef WINDTUNNEL_PEER_H
#define WINDTUNNEL_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this interface. The host refuses any other. */
#define WT_ABI 1

/* Most bytes of a datagram: the largest UDP payload over IPv4. */
#define WT_DATAGRAM_MAX 65507

/* No deadline. */
#define WT_NEVER UINT64_MAX

typedef struct wt_bytes {
    const uint8_t *data; /* may be NULL if len is 0 */
    size_t len;
} wt_bytes;

/* ---- what a stack is -------------------------------------------------------------------------------------------- */

/* What runs with the same seed promise. */
enum wt_determinism {
    WT_BYTES = 0,  /* the same bytes */
    WT_TIMING = 1, /* the same instants, up to what randomness the plugin could not take over moves */
};

/* What a stack can do, in `wt_identity.features`. What is not set is refused by the host without asking the plugin. */
#define WT_DTLS12 (1u << 0)
#define WT_DTLS13 (1u << 1)
#define WT_CERTIFICATES (1u << 2)      /* server certificates */
#define WT_PSK (1u << 3)               /* pre-shared keys */
#define WT_CLIENT_AUTH (1u << 4)       /* client certificates */
#define WT_RAW_PUBLIC_KEYS (1u << 5)   /* RFC 7250 */
#define WT_RESUMPTION (1u << 6)        /* sessions, and WT_EVENT_SESSION */
#define WT_PSK_MODES (1u << 7)         /* a choice of psk_ke and psk_dhe_ke (RFC 8446 section 4.2.9) */
#define WT_PSK_IMPORT (1u << 8)        /* RFC 9258 */
#define WT_EARLY_DATA (1u << 9)        /* RFC 8446 section 2.3 */
#define WT_CONNECTION_ID (1u << 10)    /* RFC 9146, RFC 9147 section 9 */
#define WT_ALPN (1u << 11)             /* RFC 7301 */
#define WT_RECORD_SIZE_LIMIT (1u << 12) /* RFC 8449 */
#define WT_KEY_UPDATE (1u << 13)       /* on request */
#define WT_CONNECTION_ID_MESSAGES (1u << 14) /* NewConnectionId and RequestConnectionId on request */
#define WT_EARLY_WITHOUT_COOKIE (1u << 15) /* early data of clients that show no cookie, where others have to */
#define WT_KEY_UPDATE_ALONE (1u << 16) /* key update without asking the peer to do the same */

typedef struct wt_identity {
    const char *name;     /* the stack's name in lower case, without a version: "openssl" */
    const char *version;  /* of the library that is really loaded: "3.0.19" */
    const char *about;    /* one line: "OpenSSL, the system's shared library" */
    uint32_t features;    /* WT_DTLS12 | ... */
    uint32_t determinism; /* enum wt_determinism */
} wt_identity;

/* ---- what an endpoint is to be ---------------------------------------------------------------------------------- */

enum wt_role { WT_CLIENT = 0, WT_SERVER = 1 };
enum wt_version { WT_V12 = 12, WT_V13 = 13 };
enum wt_credentials { WT_BY_CERTIFICATE = 0, WT_BY_PSK = 1, WT_BY_ECDHE_PSK = 2 };
enum wt_client_auth { WT_AUTH_NONE = 0, WT_AUTH_OPTIONAL = 1, WT_AUTH_REQUIRED = 2 };
enum wt_resumption { WT_RESUME_NOT = 0, WT_RESUME_TICKETS = 1, WT_RESUME_SESSION_IDS = 2 };
enum wt_psk_mode { WT_PSK_DHE_KE = 1, WT_PSK_KE = 2 };
enum wt_routability { WT_RRC_OWN_CHOICE = 0, WT_RRC_NONE = 1, WT_RRC_BASIC = 2, WT_RRC_ENHANCED = 3 };

typedef struct wt_config {
    uint32_t size;            /* sizeof(wt_config) of the host */
    uint8_t role;             /* enum wt_role */
    uint8_t version;          /* enum wt_version: the only one it may speak */
    uint8_t credentials;      /* enum wt_credentials */
    uint8_t cookie;           /* server: 1 if it answers first with HelloVerifyRequest, in 1.3 HelloRetryRequest; else 0 */
    uint16_t mtu;             /* largest datagram to send, bytes of UDP payload */
    uint16_t record_size_limit; /* RFC 8449; 0 for none */
    const char *server_name;  /* what a client asks for and checks */
    uint64_t unix_time;       /* date at now == 0, seconds since 1970 */

    /* Pre-shared key, if `credentials` says so. Both ends have the same. */
    wt_bytes psk_identity;
    wt_bytes psk_key;
    const char *psk_import;   /* context of RFC 9258, or NULL */
    uint8_t psk_modes[2];     /* enum wt_psk_mode, in order of preference; 0 ends; none leaves it to the stack */

    /* Certificates. A server shows `chain`; a client checks it against `root` and `server_name`. With `client_auth` a
     * server asks, and checks what it gets against `root`; a client shows `chain` if it has one. */
    uint8_t client_auth;      /* enum wt_client_auth: both ends are told what the server does */
    uint8_t raw_public_keys;  /* 1: keys are shown and known as such (RFC 7250) */
    const wt_bytes *chain;    /* DER, leaf first, root not included; NULL for none */
    size_t chain_len;
    wt_bytes key;             /* PKCS #8 DER of the leaf's key; empty for none */
    wt_bytes root;            /* DER of what the peer's chain ends in; empty for none */
    wt_bytes peer_key;        /* SubjectPublicKeyInfo, DER, of the peer's key; empty for none. Raw public keys are known by it;
                               * otherwise it only tells `unsupported` what kind of key the peer has */

    /* In order of preference, NULL and 0 leave the choice to the stack. */
    const char *const *suites; /* IANA names without TLS_: "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" */
    size_t suites_len;
    const char *const *groups; /* IANA names: "x25519", "secp256r1", "secp384r1", "X25519MLKEM768" */
    size_t groups_len;
    const char *const *alpn;   /* RFC 7301 */
    size_t alpn_len;

    /* Nanoseconds, 0 leaves it to the stack. */
    uint64_t timer_initial;   /* first retransmission timeout */
    uint64_t timer_max;       /* cap of the doubling */
    uint64_t give_up;         /* an unanswered flight ends the handshake after this */

    /* Sessions. A server gives them out as asked; a client has to report WT_EVENT_SESSION. */
    uint8_t resumption;       /* enum wt_resumption */
    uint8_t tickets;          /* how many in 1.3; 0 leaves it to the stack */
    uint64_t ticket_lifetime; /* nanoseconds; 0 leaves it to the stack */
    uint32_t early_data;      /* server: most bytes it takes; client: not 0 if it is to send some */
    uint64_t early_data_window; /* nanoseconds that a ticket's age may be off; 0 leaves it to the stack */

    int32_t connection_id;    /* bytes of the connection ID to receive, 0 for an empty one, -1 for no such extension */
    uint8_t return_routability; /* enum wt_routability (RFC 9853) */
    uint8_t follow_unchecked; /* 1: without such a check, follow the newest record to wherever it came from */
    uint8_t key_update;       /* 1: `ask` may be called with WT_ASK_UPDATE_KEYS */
    uint8_t connection_id_messages; /* 1: `ask` may be called for connection IDs */
    uint8_t early_data_without_cookie; /* server: 1 if a hello with good early data needs no cookie though others do */
} wt_config;

/* What the host does for one endpoint. `random` fills `len` bytes, always; it may be called during calls for that peer. */
typedef struct wt_host {
    uint32_t size; /* sizeof(wt_host) of the host */
    void *data;
    void (*random)(void *data, uint8_t *out, size_t len);
} wt_host;

/* ---- what an endpoint reports ----------------------------------------------------------------------------------- */

enum wt_event_kind {
    WT_EVENT_ESTABLISHED = 1,   /* text: the cipher suite, IANA name without TLS_, or empty. Once for each handshake */
    WT_EVENT_DATA = 2,          /* application data, one event for each record */
    WT_EVENT_PEER_CLOSED = 3,   /* close_notify came */
    WT_EVENT_FAILED = 4,        /* text: why the association ended. The stack is done */
    WT_EVENT_DISCARDED = 5,     /* text: why a record was dropped quietly, if the stack tells */
    WT_EVENT_KEY_LOG = 6,       /* text: a line of the NSS key log, without its newline. Without these no capture decrypts */
    WT_EVENT_SEND_REFUSED = 7,  /* text: why the data of `send` was not sent */
    WT_EVENT_SESSION = 8,       /* client: bytes that a later peer_new resumes by */
    WT_EVENT_EARLY_DATA = 9,    /* server: early data, before the client's Finished */
    WT_EVENT_EARLY_ACCEPTED = 10, /* client: its early data was taken */
    WT_EVENT_EARLY_REJECTED = 11, /* client: it was not */
    WT_EVENT_PEER_MOVED = 12,   /* text: the peer's new address, of which the stack is convinced */
    /* Right after WT_EVENT_ESTABLISHED, what else was agreed: */
    WT_EVENT_RESUMED = 13,      /* this association continues a session */
    WT_EVENT_CLIENT_CERTIFICATE = 14, /* server: DER of the certificate by which the client was authenticated */
    WT_EVENT_ALPN = 15,         /* text: the application protocol */
};

typedef struct wt_event {
    uint32_t kind; /* enum wt_event_kind; the host takes one that it does not know for a broken plugin */
    wt_bytes body; /* text or bytes, as above; text without its zero byte */
} wt_event;

enum wt_ask {
    WT_ASK_UPDATE_KEYS = 1,          /* argument: 1 if the peer is to do the same */
    WT_ASK_REQUEST_CONNECTION_IDS = 2, /* argument: how many */
    WT_ASK_NEW_CONNECTION_IDS = 3,   /* argument: how many, to use when the other end likes */
    WT_ASK_REPLACE_CONNECTION_IDS = 4, /* argument: how many, in place of those before */
};

/* ---- the table -------------------------------------------------------------------------------------------------- */

typedef struct wt_context wt_context; /* what the endpoints of one host of one run share: an SSL_CTX, a ticket key */
typedef struct wt_peer wt_peer;       /* one endpoint */

/* Where a function returns text for a refusal, NULL means that it did what it was asked. */
typedef struct wt_peer_table {
    uint32_t abi;  /* WT_ABI */
    uint32_t size; /* sizeof(wt_peer_table) of the plugin */

    /* Who this is. Called after `prepare`. */
    const wt_identity *(*identity)(void);

    /* Once in a process, before anything else: global set-up of the library, outside of any run, so that nothing lazy
     * draws from the first run's randomness. */
    const char *(*prepare)(void);

    /* Why no endpoint can be this, or NULL. Called from any thread; decides by `config` alone. */
    const char *(*unsupported)(const wt_config *config);

    /* What the endpoints of one host share. Returns NULL and sets *why if it cannot be made. */
    wt_context *(*context_new)(const wt_config *config, const wt_host *host, uint64_t now, const char **why);
    void (*context_free)(wt_context *context);

    /* One endpoint. `peer_address` is text, "192.0.2.1:5684" or "[2001:db8::1]:5684": servers bind cookies to it. A client
     * may be given the bytes of a WT_EVENT_SESSION of its own stack, otherwise `session` is empty. `host` is the endpoint's
     * own and stays valid until peer_free. Sends nothing yet. Returns NULL and sets *why if it cannot be made. */
    wt_peer *(*peer_new)(wt_context *context, const wt_host *host, const char *peer_address, wt_bytes session, uint64_t now,
                         const char **why);
    void (*peer_free)(wt_peer *peer);

    /* A client sends its first flight; a server does nothing. */
    void (*start)(wt_peer *peer, uint64_t now);
    /* One datagram, from this address. */
    void (*datagram)(wt_peer *peer, uint64_t now, const char *from, wt_bytes datagram);
    /* Time has reached what `deadline` returned. */
    void (*timeout)(wt_peer *peer, uint64_t now);
    /* When `timeout` is to be called: an instant, not a duration; WT_NEVER for not at all. One that lies before `now` is
     * taken as `now`; a peer that goes on like that is stopped as spinning. */
    uint64_t (*deadline)(wt_peer *peer, uint64_t now);
    /* The next datagram to send: 1 and *datagram, or 0 if there is none. *to is NULL for the peer's address as it is known,
     * or an address as text. */
    int (*next_datagram)(wt_peer *peer, uint64_t now, wt_bytes *datagram, const char **to);
    /* The next event: 1 and *event, or 0 if there is none. */
    int (*next_event)(wt_peer *peer, wt_event *event);

    /* Application data, one record. A refusal is WT_EVENT_SEND_REFUSED. */
    void (*send)(wt_peer *peer, uint64_t now, wt_bytes data);
    /* Early data of a client, after `start`. NULL if the plugin has no WT_EARLY_DATA. */
    const char *(*send_early)(wt_peer *peer, uint64_t now, wt_bytes data);
    /* close_notify. */
    void (*close)(wt_peer *peer, uint64_t now);
    /* enum wt_ask. NULL if the plugin has neither WT_KEY_UPDATE nor WT_CONNECTION_ID_MESSAGES. */
    const char *(*ask)(wt_peer *peer, uint64_t now, uint32_t what, uint32_t argument);
    /* Whether a datagram from an unknown address shows a connection ID of this endpoint's. NULL if the plugin has no
     * WT_CONNECTION_ID. */
    int (*owns)(wt_peer *peer, wt_bytes datagram);
    /* Keying material of an established association (RFC 5705, RFC 8446 section 7.5), without a context: fills `len` bytes.
     * NULL if the stack cannot. */
    const char *(*export_keys)(wt_peer *peer, const char *label, uint8_t *out, size_t len);
} wt_peer_table;

/* The one exported symbol. */
const wt_peer_table *windtunnel_peer(void);

#ifdef __cplusplus
}
#endif

#endif
