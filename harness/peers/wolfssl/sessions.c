/* wolfSSL's own cache of sessions is one for the process: a run would see what another has left. Every run is a thread of
 * its own, so a cache for each thread is one for each run. The cache is in this file of wolfSSL's, and all that it keeps for
 * the process; `wolfSSL_Init` fits it out for a thread. */
#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/wc_port.h>

#undef WC_THREADSHARED
#define WC_THREADSHARED __thread

#include "src/ssl.c"
