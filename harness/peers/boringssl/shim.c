#define STACK_NAME "boringssl"
#define STACK_ABOUT "BoringSSL, compiled from the source that the crate boring-sys ships"
#define STACK_FEATURES                                                                                              \
    (WT_DTLS12 | WT_DTLS13 | WT_CERTIFICATES | WT_PSK | WT_CLIENT_AUTH | WT_RESUMPTION | WT_PSK_IMPORT | WT_ALPN | \
     WT_KEY_UPDATE | WT_KEY_UPDATE_ALONE)

#include "openssl_shim.c"

/* BoringSSL has no versions of its own: the crate that ships it. */
static const char *stack_version(void) { return BORING_SYS_VERSION; }

/* Stand in for the processor's generator, whose source file is left out: there is none. */
int CRYPTO_rdrand(uint8_t out[8]);
int CRYPTO_rdrand(uint8_t out[8]) {
    (void)out;
    return 0;
}
int CRYPTO_rdrand_multiple8_buf(uint8_t *out, size_t len);
int CRYPTO_rdrand_multiple8_buf(uint8_t *out, size_t len) {
    (void)out, (void)len;
    return 0;
}
