#ifndef TOLLGATE_CHIREDIS_SHIM_H
#define TOLLGATE_CHIREDIS_SHIM_H

#if !__has_include(<hiredis/hiredis.h>)
#error "hiredis is missing: apt-get install libhiredis-dev (Debian, Ubuntu) or brew install hiredis (macOS)"
#endif
#include <hiredis/hiredis.h>

/* errstr is a char[128], which Swift would see as a tuple of 128 elements. */
static inline const char *chiredis_reader_error(const redisReader *reader) { return reader->errstr; }

#endif
