// Valgrind 3.19 writes into the mask that a program waits with, and ends when it may not: libdispatch's, with which the
// main thread waits, is a constant. Loaded before libc, this hands a copy over.
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int sigsuspend(const sigset_t *mask) {
  sigset_t copy = *mask;
  return (int)syscall(SYS_rt_sigsuspend, &copy, 8);
}
