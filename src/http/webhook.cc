#include "http/webhook.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/log.h"
#include "config/fields.h"
#include "http/views.h"

namespace tidemark::http {
namespace {

using namespace config::fields;

constexpr uint64_t kAnswerBytesMax = 1 << 20;

config::ComponentSpec make_spec() {
  config::ComponentSpec spec;
  spec.kind = "guard_webhook";
  spec.summary =
      "Posts each alert as JSON when it fires and when it resolves, in order: `{\"version\": 1, \"event\": "
      "\"fired\", \"alert\": {...}}`, the alert with the fields that `/api/guard` shows. "
      "`X-Tidemark-Delivery` is the same for every try of one notice; `X-Tidemark-Timestamp` and "
      "`X-Tidemark-Signature` (`sha256=` and the HMAC-SHA256, in hex, of timestamp, `.` and body) prove "
      "where it comes from. Anything but a 2xx, 429 or 5xx gives the notice up; 429, 5xx and no answer are "
      "tried again, after 1 s, then twice as long each time up to 30 s. Redirects are not followed.";
  spec.fields = {
      required(secret(text("url",
                           "http or https. Its path is kept out of the log, since receivers put secrets "
                           "there. The certificate is checked against the machine's authorities.")),
               "\"https://alerts.example/hook\""),
      secret(with_example(text("secret", "The key of the signature. Without one nothing is signed."),
                          "\"${HOOK_SECRET}\"")),
      duration("timeout", "10s", 100, 300'000,
               "How long one try may take, from the name's look-up to the answer."),
      number("attempts_max", "8", 1, 1000,
             "Tries before a notice is given up. 8 are a minute and a half of waiting."),
      with_example(list("alerts", "The rules whose alerts are sent. Absent: all."),
                   "[\"lag\", \"position_lost\"]"),
  };
  return spec;
}

bool is_retried(int status) { return status == 429 || status >= 500; }

std::string hex(const Sha256& hash, size_t bytes) { return to_hex({hash.data(), bytes}); }

}  // namespace

const config::ComponentSpec& guard_webhook_spec() {
  static const config::ComponentSpec kSpec = make_spec();
  return kSpec;
}

Result<WebhookOptions> webhook_options(const config::Settings& settings) {
  WebhookOptions options;
  auto endpoint = parse_endpoint(settings.string("url"));
  if (!endpoint)
    return fail(settings.error("url", "is no address of a receiver",
                               "write http:// or https://, a host, and a path: https://alerts.example/hook"));
  options.endpoint = std::move(*endpoint);
  options.secret = settings.string("secret");
  options.timeout = settings.duration("timeout");
  options.attempts_max = static_cast<int>(settings.integer("attempts_max"));
  options.alerts = settings.list("alerts");
  return options;
}

Webhook::Webhook(WebhookOptions options, Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      run_(fmt::format("{}/{}", clock.wall_ms(), clock.now().time_since_epoch().count())),
      thread_([this] { run(); }) {}

Webhook::~Webhook() { stop(); }

void Webhook::notify(const guard::AlertView& alert) {
  const auto& wanted = options_.alerts;
  if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), alert.name) == wanted.end()) return;
  const char* event = alert.firing ? "fired" : "resolved";
  Notice notice;
  notice.delivery =
      hex(sha256(fmt::format("{}/{}/{}/{}/{}", run_, alert.pipeline, alert.name, alert.seq, event)), 16);
  notice.body = render_notice(alert);
  notice.about =
      fmt::format("{}: {} {}", alert.pipeline.empty() ? "guard" : alert.pipeline, alert.name, event);
  std::string dropped;
  {
    MutexLock lock(mutex_);
    if (closing_) {
      ++counts_.failed;
      return;
    }
    if (waiting_.size() >= kWaitingMax) {
      dropped = std::move(waiting_.front().about);
      waiting_.pop_front();
      ++counts_.failed;
    }
    waiting_.push_back(std::move(notice));
    changed_.notify_all();
  }
  if (!dropped.empty())
    log::error("{}: not sent to {}: {} notices wait there already", dropped, options_.endpoint.server.text,
               kWaitingMax);
}

guard::Notifier::Counts Webhook::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

void Webhook::stop() {
  pause_.request_stop();
  {
    MutexLock lock(mutex_);
    closing_ = true;
    changed_.notify_all();
    changed_.wait_for(mutex_, {}, kDrain, [this]() REQUIRES(mutex_) { return finished_; });
  }
  abort_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Webhook::run() {
  Notice notice;
  while (take(notice)) {
    const bool sent = deliver(notice);
    MutexLock lock(mutex_);
    ++(sent ? counts_.sent : counts_.failed);
  }
  MutexLock lock(mutex_);
  if (!waiting_.empty())
    log::error("guard: {} notices were not sent to {} before the end", waiting_.size(),
               options_.endpoint.server.text);
  counts_.failed += waiting_.size();
  waiting_.clear();
  finished_ = true;
  changed_.notify_all();
}

bool Webhook::take(Notice& notice) {
  MutexLock lock(mutex_);
  changed_.wait(mutex_, abort_.get_token(),
                [this]() REQUIRES(mutex_) { return closing_ || !waiting_.empty(); });
  if (abort_.stop_requested() || waiting_.empty()) return false;
  notice = std::move(waiting_.front());
  waiting_.pop_front();
  return true;
}

bool Webhook::deliver(const Notice& notice) {
  const std::string& server = options_.endpoint.server.text;
  std::chrono::milliseconds pause = kBackoffMin;
  std::string why;
  for (int attempt = 1;; ++attempt) {
    // The end allows one more try, begun after it.
    const bool ending = pause_.stop_requested();
    const Outcome outcome = send(notice, why);
    if (outcome == Outcome::kSent) return true;
    const bool last = attempt >= options_.attempts_max || ending || abort_.stop_requested();
    if (outcome == Outcome::kRefused || last) {
      log::error("{}: given up after {} {}: {}", notice.about, attempt, attempt == 1 ? "try" : "tries", why);
      return false;
    }
    if (attempt == 1) log::warn("{}: not sent to {} yet, trying again: {}", notice.about, server, why);
    clock_.sleep_until(clock_.now() + pause, pause_.get_token());
    pause = std::min(pause * 2, kBackoffMax);
  }
}

Webhook::Outcome Webhook::send(const Notice& notice, std::string& why) {
  const auto answer = ask(options_.endpoint.server, request_of(notice), abort_.get_token());
  if (!answer) {
    why = answer.error().what;
    return Outcome::kRetry;
  }
  if (answer->status >= 200 && answer->status < 300) return Outcome::kSent;
  why = fmt::format("{} answers {}", options_.endpoint.server.text, answer->status);
  return is_retried(answer->status) ? Outcome::kRetry : Outcome::kRefused;
}

// The time is the try's own, so that a receiver may refuse what is old without refusing what was held up.
ClientRequest Webhook::request_of(const Notice& notice) const {
  ClientRequest request;
  request.method = "POST";
  request.target = options_.endpoint.target;
  request.body = notice.body;
  request.timeout = options_.timeout;
  request.body_bytes_max = kAnswerBytesMax;
  const std::string timestamp = std::to_string(clock_.wall_ms() / 1000);
  request.headers = {{"X-Tidemark-Delivery", notice.delivery}, {"X-Tidemark-Timestamp", timestamp}};
  if (options_.secret.empty()) return request;
  const Sha256 signature = hmac_sha256(options_.secret, timestamp + "." + notice.body);
  request.headers.emplace_back("X-Tidemark-Signature", "sha256=" + hex(signature, signature.size()));
  return request;
}

}  // namespace tidemark::http
