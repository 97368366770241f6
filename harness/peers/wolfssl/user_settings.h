/* How wolfSSL is configured here: every feature of DTLS that it has and a scenario can ask for. */
#ifndef WINDTUNNEL_WOLFSSL_USER_SETTINGS_H
#define WINDTUNNEL_WOLFSSL_USER_SETTINGS_H

/* Protocol. */
#define WOLFSSL_TLS13
#define WOLFSSL_DTLS
#define WOLFSSL_DTLS13
#define WOLFSSL_DTLS_MTU
#define WOLFSSL_DTLS_CID
#define DTLS_CID_MAX_SIZE 255
#define WOLFSSL_DTLS_CH_FRAG
#define WOLFSSL_DTLS_DROP_STATS
#define WOLFSSL_SEND_HRR_COOKIE
#define WOLFSSL_EARLY_DATA
#define WOLFSSL_DTLS13_NO_HRR_ON_RESUME
#define NO_OLD_TLS

/* Extensions. */
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_EXTENDED_MASTER
#define HAVE_SERVER_RENEGOTIATION_INFO
#define HAVE_ENCRYPT_THEN_MAC
#define HAVE_SNI
#define HAVE_ALPN
#define HAVE_SESSION_TICKET
#define WOLFSSL_TICKET_KEY_LIFETIME (15 * 24 * 60 * 60) /* tickets that live a week need keys that live more than two */

/* What an application can get at. */
#define HAVE_EXT_CACHE /* wolfSSL_i2d_SSL_SESSION */
#define HAVE_SECRET_CALLBACK
#define HAVE_KEYING_MATERIAL
#define KEEP_PEER_CERT
#define WOLFSSL_EXTRA /* wolfSSL_get_keys */

/* Algorithms. */
#define WOLFSSL_STATIC_PSK
#define HAVE_AESGCM
#define HAVE_AESCCM
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_ONE_TIME_AUTH
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define WOLFSSL_SHA3
#define WOLFSSL_SHAKE128
#define WOLFSSL_SHAKE256
#define HAVE_HKDF
#define HAVE_HASHDRBG
#define HAVE_ECC
#define HAVE_ECC384
#define ECC_SHAMIR
#define ECC_TIMING_RESISTANT
#define HAVE_CURVE25519
#define HAVE_ED25519
#define WOLFSSL_HAVE_MLKEM
#define WOLFSSL_WC_MLKEM
#define WOLFSSL_PQC_HYBRIDS
#define WC_RSA_PSS
#define WC_RSA_BLINDING
#define TFM_TIMING_RESISTANT
#define NO_DH
#define NO_DSA
#define NO_RC4
#define NO_DES3
#define NO_MD4
#define NO_MD5
#define NO_PWDBASED

/* Big numbers in plain C: the same code, and the same bytes, on every machine. */
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_HAVE_SP_RSA
#define WOLFSSL_SP_384

/* Platform: randomness by libc, where the shim takes it over; no files. */
#define WOLFSSL_GETRANDOM
#define NO_FILESYSTEM
#define HAVE_THREAD_LS

#endif
