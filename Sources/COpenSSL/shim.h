#ifndef TOLLGATE_COPENSSL_SHIM_H
#define TOLLGATE_COPENSSL_SHIM_H

#if !__has_include(<openssl/evp.h>)
#error "OpenSSL is missing: apt-get install libssl-dev (Debian, Ubuntu) or brew install openssl@3 (macOS)"
#endif
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#endif
