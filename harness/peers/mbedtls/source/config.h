/* How Mbed TLS is built here, read after its own default configuration: what a plugin must not have is taken out. Everything
 * that shows on the wire stays as upstream has it. */

/* No I/O, no clock but the one that is taken over, no randomness but the host's. */
#undef MBEDTLS_NET_C
#undef MBEDTLS_TIMING_C
#undef MBEDTLS_FS_IO
#undef MBEDTLS_ENTROPY_C
#undef MBEDTLS_CTR_DRBG_C

/* DTLS 1.3 is not in Mbed TLS: without TLS 1.3 nothing here needs the PSA library, whose state is global. */
#undef MBEDTLS_SSL_PROTO_TLS1_3
#undef MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#undef MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_ENABLED
#undef MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#undef MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED
#undef MBEDTLS_PSA_CRYPTO_C
#undef MBEDTLS_PSA_CRYPTO_STORAGE_C
#undef MBEDTLS_PSA_ITS_FILE_C
#undef MBEDTLS_LMS_C

/* Tables in memory instead of filled on first use, which two threads may be at once. */
#define MBEDTLS_AES_ROM_TABLES

#undef MBEDTLS_SELF_TEST
#define MBEDTLS_PSK_MAX_LEN 64
