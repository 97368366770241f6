/* How tinydtls is configured here, in place of what its configure script writes. */
#ifndef WINDTUNNEL_TINYDTLS_CONFIG_H
#define WINDTUNNEL_TINYDTLS_CONFIG_H

#define DTLS_PSK 1
#define DTLS_ECC 1
#define DTLS_CHECK_CONTENTTYPE 1
#define DTLS_PSK_MAX_CLIENT_IDENTITY_LEN 128
#define WITH_SHA256 1
#define SHA2_USE_INTTYPES_H 1

#define HAVE_ASSERT_H 1
#define HAVE_ARPA_INET_H 1
#define HAVE_INET_NTOP 1
#define HAVE_INTTYPES_H 1
#define HAVE_NETINET_IN_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRING_H 1
#define HAVE_STRNLEN 1
#define HAVE_SYS_SOCKET_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_TIME_H 1
#define HAVE_UNISTD_H 1
#define HAVE_VPRINTF 1

#define PACKAGE_NAME "tinydtls"
#define PACKAGE_VERSION "0.8.6"
#define PACKAGE_STRING "tinydtls 0.8.6"

#endif
