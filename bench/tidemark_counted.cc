// The same program as build/*/bin/tidemark, with every heap allocation of the process counted, its libraries'
// included: malloc and its relatives are replaced by ones that count and then call the C library's.
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cli/program.h"

namespace {
std::atomic<uint64_t> allocations{0};
uint64_t count() { return allocations.load(std::memory_order_relaxed); }
}  // namespace

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t items, size_t size);
void* __libc_realloc(void* memory, size_t size);

void* malloc(size_t size) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
void* calloc(size_t items, size_t size) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(items, size);
}
void* realloc(void* memory, size_t size) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(memory, size);
}
}

int main(int argc, char** argv) { return tidemark::cli::run_program(argc, argv, count); }
