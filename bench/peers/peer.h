// What the benchmark's programs share: arguments, time, and the one line of JSON that bench/run reads.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include <sys/resource.h>

namespace tidemark::bench {

// --name value pairs. A missing one ends the program with a message.
class Arguments {
 public:
  Arguments(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) values_[std::string(argv[i]).substr(2)] = argv[i + 1];
  }
  bool has(const std::string& name) const { return values_.count(name) > 0; }
  const std::string& text(const std::string& name) const {
    const auto it = values_.find(name);
    if (it == values_.end()) {
      std::fprintf(stderr, "needs --%s\n", name.c_str());
      std::exit(64);
    }
    return it->second;
  }
  int64_t number(const std::string& name) const { return std::atoll(text(name).c_str()); }
  int64_t number(const std::string& name, int64_t otherwise) const {
    return has(name) ? number(name) : otherwise;
  }

 private:
  std::map<std::string, std::string> values_;
};

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double cpu_seconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

inline double peak_rss_mb() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

// A guard as rows really carry it: the front of a server's token, 16 bytes.
inline std::string guard_bytes(int64_t number) {
  std::string bytes("\x82\x65\0\0\0\0\0\0\0\x2b\x04\x2c\x01\0\x29\x6e", 16);
  for (size_t i = 8; i > 1; --i, number >>= 8) bytes[i] = static_cast<char>(number);
  return bytes;
}
inline std::string guard_hex(int64_t number) {
  char text[64];
  std::snprintf(text, sizeof text, "8265%014llX2B042C0100296E", static_cast<unsigned long long>(number));
  return text;
}

inline void print_result(int64_t events, double seconds) {
  std::printf(
      "{\"events\": %lld, \"seconds\": %.6f, \"events_per_second\": %.1f, \"cpu_us_per_event\": %.3f, "
      "\"peak_rss_mb\": "
      "%.1f}\n",
      static_cast<long long>(events), seconds, static_cast<double>(events) / seconds,
      1e6 * cpu_seconds() / static_cast<double>(events), peak_rss_mb());
  std::fflush(stdout);
}

}  // namespace tidemark::bench
