// Randomness, as the program is given it.
#pragma once

#include <cstdint>

namespace tidemark {

// One thread at a time.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next_u64() = 0;

  // In [0, bound); REQUIRES bound > 0. The bias of the modulo is below 2^-32 for every bound used here.
  uint64_t below(uint64_t bound) { return next_u64() % bound; }
  // In [0, 1).
  double unit() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }
};

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): the same sequence
// for the same seed on every machine.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t next_u64() override {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace tidemark
