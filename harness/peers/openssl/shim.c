/* The only way to replace its random generator for a whole process is deprecated. */
#define OPENSSL_SUPPRESS_DEPRECATED

#define STACK_NAME "openssl"
#ifdef VENDORED
#define STACK_ABOUT "OpenSSL, compiled from the source that the crate openssl-src ships"
#else
#define STACK_ABOUT "OpenSSL, the system's shared library"
#endif
#define STACK_FEATURES \
    (WT_DTLS12 | WT_CERTIFICATES | WT_PSK | WT_CLIENT_AUTH | WT_RESUMPTION | WT_ALPN)

#include "openssl_shim.c"

static const char *stack_version(void) { return OpenSSL_version(OPENSSL_VERSION_STRING); }
