// Submissions and clients for the tests of the HTTP source. Header-only; a Client is thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "core/inlet.h"

namespace tidemark::http_source {

inline std::string event_json(int id, const std::string& data = "1") {
  return R"({"specversion":"1.0","source":"/test","type":"t","id":")" + std::to_string(id) + R"(","data":)" +
         data + "}";
}

inline Submission one_event(int id, const std::string& data = "1") {
  return {"application/cloudevents+json", {}, event_json(id, data)};
}

// A batch of `count` events from `id` on.
inline Submission many_events(int id, int count) {
  std::string body = "[";
  for (int i = 0; i < count; ++i) body += (i == 0 ? "" : ",") + event_json(id + i);
  return {"application/cloudevents-batch+json", {}, body + "]"};
}

// Keeps every answer that its replies get.
class Client {
 public:
  // Outlives this object where it must.
  Reply reply() {
    return Reply([shared = shared_](Answer answer) {
      MutexLock lock(shared->mutex);
      shared->answers.push_back(std::move(answer));
      shared->changed.notify_all();
    });
  }
  size_t answers() const {
    MutexLock lock(shared_->mutex);
    return shared_->answers.size();
  }
  // The only answer; empty when there is none, or more than one.
  std::optional<Answer> answer() const {
    MutexLock lock(shared_->mutex);
    if (shared_->answers.size() != 1) return std::nullopt;
    return shared_->answers.front();
  }
  std::optional<Answer::Kind> kind() const {
    const auto only = answer();
    return only ? std::optional(only->kind) : std::nullopt;
  }
  void wait() const {
    MutexLock lock(shared_->mutex);
    while (shared_->answers.empty()) shared_->changed.wait(shared_->mutex);
  }

 private:
  struct Shared {
    Mutex mutex;
    CondVar changed;
    std::vector<Answer> answers GUARDED_BY(mutex);
  };
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace tidemark::http_source
