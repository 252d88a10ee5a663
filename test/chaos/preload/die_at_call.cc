// Preloaded into a relay: the process dies, as a kill would have it, before the N-th call by which it changes a disk or says
// something to a server. N is the environment's TIDEMARK_DIE_AT_CALL. With it, a kill can fall between any two steps, however
// short the time between them is. Nothing of the program is changed; any thread may come here.
#include <atomic>
#include <cstdlib>

#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

constexpr int kKilled = 137;

std::atomic<long> calls_left = [] {
  const char* text = std::getenv("TIDEMARK_DIE_AT_CALL");
  return text == nullptr ? 0 : std::atol(text);
}();

void count() {
  if (calls_left.load() > 0 && calls_left.fetch_sub(1) == 1) ::_exit(kKilled);
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

#define COUNTED(result, name, parameters, arguments)          \
  extern "C" result name parameters {                         \
    static auto* const real = next<result parameters>(#name); \
    count();                                                  \
    return real arguments;                                    \
  }

COUNTED(ssize_t, write, (int fd, const void* data, size_t size), (fd, data, size))
COUNTED(ssize_t, writev, (int fd, const iovec* parts, int parts_count), (fd, parts, parts_count))
COUNTED(ssize_t, pwrite, (int fd, const void* data, size_t size, off_t at), (fd, data, size, at))
COUNTED(ssize_t, pwrite64, (int fd, const void* data, size_t size, off64_t at), (fd, data, size, at))
COUNTED(int, fsync, (int fd), (fd))
COUNTED(int, fdatasync, (int fd), (fd))
COUNTED(int, ftruncate, (int fd, off_t size), (fd, size))
COUNTED(int, ftruncate64, (int fd, off64_t size), (fd, size))
COUNTED(int, rename, (const char* from, const char* to), (from, to))
COUNTED(ssize_t, send, (int fd, const void* data, size_t size, int flags), (fd, data, size, flags))
COUNTED(ssize_t, sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags))
