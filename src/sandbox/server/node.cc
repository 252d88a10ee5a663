#include "sandbox/server/node.h"

#include <cstring>

namespace tidemark::sandbox {

bool Gate::pass(std::stop_token stop) {
  MutexLock lock(mutex_);
  return changed_.wait(mutex_, std::move(stop), [this]() REQUIRES(mutex_) { return !paused_; });
}

bool Gate::pass_reply(std::stop_token stop) {
  std::chrono::milliseconds delay{0};
  {
    MutexLock lock(mutex_);
    delay = delay_;
  }
  if (delay.count() > 0 && !wait(delay, stop)) return false;
  return pass(std::move(stop));
}

bool Gate::wait(std::chrono::milliseconds time, std::stop_token stop) {
  MutexLock lock(mutex_);
  changed_.wait_for(mutex_, stop, time, [] { return false; });
  return !stop.stop_requested();
}

void Gate::set_paused(bool paused) {
  MutexLock lock(mutex_);
  paused_ = paused;
  changed_.notify_all();
}

void Gate::set_delay(std::chrono::milliseconds delay) {
  MutexLock lock(mutex_);
  delay_ = delay;
}

Uuid Identities::uuid() {
  MutexLock lock(mutex_);
  Uuid uuid;
  const uint64_t halves[2] = {random_.next_u64(), random_.next_u64()};
  std::memcpy(uuid.data(), halves, uuid.size());
  uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0f) | 0x40);
  uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3f) | 0x80);
  return uuid;
}

bson_oid_t Identities::oid() {
  MutexLock lock(mutex_);
  bson_oid_t oid;
  const auto seconds = static_cast<uint32_t>(clock_.wall_ms() / 1000);
  const uint64_t random = random_.next_u64();
  counter_++;
  for (int i = 0; i < 4; i++) oid.bytes[i] = static_cast<uint8_t>(seconds >> (24 - 8 * i));
  std::memcpy(oid.bytes + 4, &random, 5);
  for (int i = 0; i < 3; i++) oid.bytes[9 + i] = static_cast<uint8_t>(counter_ >> (16 - 8 * i));
  return oid;
}

int64_t Identities::cursor_id() {
  MutexLock lock(mutex_);
  return static_cast<int64_t>(random_.next_u64() >> 1) | 1;
}

uint64_t Identities::random() {
  MutexLock lock(mutex_);
  return random_.next_u64();
}

void Node::set_process_id(bson_oid_t id) {
  MutexLock lock(mutex);
  process_id_ = id;
}

bson_oid_t Node::process_id() const {
  MutexLock lock(mutex);
  return process_id_;
}

}  // namespace tidemark::sandbox
