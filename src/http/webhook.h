// Alerts by HTTP: each is posted as JSON to somebody's URL, signed, and tried again for as long as it may still arrive.
//
//   POST URL
//   Content-Type: application/json
//   X-Tidemark-Delivery: 32 hex digits, the same for every try of one notice: the receiver drops what it has by it
//   X-Tidemark-Timestamp: seconds since 1970, of this try
//   X-Tidemark-Signature: sha256=HMAC-SHA256(secret, timestamp + "." + body), in hex; absent without a secret
//
//   {"version": 1, "event": "fired" | "resolved", "alert": {...}}     as in openapi.json, Notice
//
// Owned by the composition, beside the guard that calls notify(). One thread of its own sends the notices one after the
// other: one that must wait holds up those after it, so that none overtakes another. Neither the secret nor the URL's path
// is ever logged.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "env/clock.h"
#include "guard/notifier.h"
#include "http/client.h"

namespace tidemark::http {

struct WebhookOptions {
  Endpoint endpoint;
  std::string secret;  // empty = not signed
  std::chrono::milliseconds timeout{10'000};
  int attempts_max = 8;
  std::vector<std::string> alerts;  // names of rules; empty = all
};

const config::ComponentSpec& guard_webhook_spec();  // kind "guard_webhook"

// Every error is kConfig and names its field; none shows a secret. Whether `alerts` names rules is the caller's to check.
Result<WebhookOptions> webhook_options(const config::Settings& settings);

class Webhook final : public guard::Notifier {
 public:
  // Above it the oldest notice that waits is given up: what is newest says how things are.
  static constexpr size_t kWaitingMax = 256;
  static constexpr std::chrono::milliseconds kBackoffMin{1'000};
  static constexpr std::chrono::milliseconds kBackoffMax{30'000};
  // What is left at the end gets one more try each, and no more than this together.
  static constexpr std::chrono::milliseconds kDrain{2'000};

  // Sends from then on. `clock` outlives it.
  Webhook(WebhookOptions options, Clock& clock);
  ~Webhook() override;  // stops

  void notify(const guard::AlertView& alert) override EXCLUDES(mutex_);
  // What is given up, dropped for want of room, or left at the end is failed.
  Counts counts() const override EXCLUDES(mutex_);

  // Returns within kDrain, and at once when nothing waits. What comes later is failed. May be called again; one thread.
  void stop() EXCLUDES(mutex_);

 private:
  struct Notice {
    std::string delivery;
    std::string body;
    std::string about;  // for the log: "orders: lag fired"
  };
  enum class Outcome { kSent, kRetry, kRefused };

  void run() EXCLUDES(mutex_);
  // False once nothing will come any more.
  bool take(Notice& notice) EXCLUDES(mutex_);
  // Whether it arrived.
  bool deliver(const Notice& notice);
  Outcome send(const Notice& notice, std::string& why);
  ClientRequest request_of(const Notice& notice) const;

  const WebhookOptions options_;
  Clock& clock_;
  const std::string run_;  // differs from start to start, as the alerts' numbers don't

  std::stop_source pause_;  // requested: no waits between tries any more
  std::stop_source abort_;  // requested: not even the try under way goes on

  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Notice> waiting_ GUARDED_BY(mutex_);
  bool closing_ GUARDED_BY(mutex_) = false;
  bool finished_ GUARDED_BY(mutex_) = false;
  Counts counts_ GUARDED_BY(mutex_);

  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace tidemark::http
