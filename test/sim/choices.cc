#include "sim/choices.h"

#include <utility>

namespace tidemark::sim {
namespace {

template <size_t... I>
std::array<SeededRandom, sizeof...(I)> streams_of(uint64_t seed, std::index_sequence<I...>) {
  return {SeededRandom(seed ^ (0x6a09e667f3bcc909 * (I + 1)))...};
}

}  // namespace

std::string_view to_string(Fault fault) {
  static constexpr std::array<std::string_view, kFaultCount> kNames{"identify fails",
                                                                    "open fails",
                                                                    "read fails",
                                                                    "election",
                                                                    "false announcement",
                                                                    "cursor closes unmoved",
                                                                    "rollover",
                                                                    "other deployment",
                                                                    "sink open fails",
                                                                    "write fails",
                                                                    "answer lost",
                                                                    "sink broken",
                                                                    "letter fails",
                                                                    "letter retried",
                                                                    "disk fails",
                                                                    "disk broken",
                                                                    "power lost in a save",
                                                                    "killed",
                                                                    "power lost",
                                                                    "rival",
                                                                    "backup restored",
                                                                    "file removed",
                                                                    "file damaged",
                                                                    "stop",
                                                                    "credentials refused"};
  return kNames[static_cast<size_t>(fault)];
}

Choices::Choices(uint64_t seed, uint64_t enabled)
    : schedule_(seed),
      streams_(streams_of(seed, std::make_index_sequence<kFaultCount>())),
      enabled_(enabled) {}

bool Choices::fault(Fault fault, uint64_t n) {
  if (calm_ || (enabled_ >> static_cast<size_t>(fault) & 1) == 0) return false;
  return streams_[static_cast<size_t>(fault)].below(n) == 0;
}

}  // namespace tidemark::sim
