// How events that clients push come in: the door between the HTTP server and a source that answers for what it takes.
//
// The server hands a request's body over and gets one answer, once what the request brought is durable at the
// pipeline's sink. A Reply is a duty: whoever holds it answers it once, and destroyed unanswered it means "abandoned",
// never "accepted".
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tidemark {

// What a client sent, as far as a source needs it.
struct Submission {
  std::string content_type;  // as sent; empty when absent
  // Header fields whose names begin with "ce-", names in lower case, in the order sent.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct Answer {
  enum class Kind {
    kAccepted,         // durable at the sink, all of it
    kInvalid,          // nothing of it was taken; `problems` says why: 400
    kUnsupportedType,  // no content type that this door reads: 415
    kUnavailable,      // nothing is promised: the same again later; 503 with Retry-After
  };
  struct Problem {
    std::string where;  // "events[3].id", "body"
    std::string what;   // "is missing"
  };
  Kind kind = Kind::kUnavailable;
  size_t events = 0;                   // kAccepted: how many
  std::string detail = {};             // for people, one sentence
  std::vector<Problem> problems = {};  // kInvalid: at most kProblemsMax
  std::chrono::seconds retry_after{1};

  static constexpr size_t kProblemsMax = 20;
};

// Move-only. Called from any thread, at most once; the callback must not block.
class Reply {
 public:
  Reply() = default;
  explicit Reply(std::function<void(Answer)> send) : send_(std::move(send)) {}
  Reply(Reply&& other) noexcept : send_(std::exchange(other.send_, nullptr)) {}
  Reply& operator=(Reply&& other) noexcept {
    if (this != &other) {
      abandon();
      send_ = std::exchange(other.send_, nullptr);
    }
    return *this;
  }
  ~Reply() { abandon(); }

  void answer(Answer answer) {
    if (auto send = std::exchange(send_, nullptr)) send(std::move(answer));
  }

 private:
  void abandon() {
    if (send_) answer({.kind = Answer::Kind::kUnavailable, .detail = "the events were not stored in time"});
  }
  std::function<void(Answer)> send_;
};

// Thread-safe; outlives the server that calls it (shared).
class Inlet {
 public:
  virtual ~Inlet() = default;
  // The path of the server's that leads here: "/events".
  virtual const std::string& path() const = 0;
  // Checks, queues and returns at once; the reply may be answered before this returns.
  virtual void submit(Submission submission, Reply reply) = 0;
  // No more submissions: each is answered kUnavailable from now on. Those taken are still answered for.
  virtual void refuse() = 0;
  // Submissions taken and not yet answered.
  virtual size_t pending() const = 0;
};

}  // namespace tidemark
