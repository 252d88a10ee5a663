#include <algorithm>
#include <charconv>
#include <string>
#include <thread>
#include <utility>

#include "base/digest.h"
#include "config/fields.h"
#include "sources/http/component.h"
#include "sources/http/door.h"

namespace tidemark {
namespace {

using http_source::Door;

// What the server keeps for itself.
constexpr std::string_view kReserved[] = {"/api",    "/ws",     "/metrics",      "/healthz",
                                          "/readyz", "/assets", "/openapi.json", "/index.html"};
constexpr size_t kPathBytesMax = 200;

// Positions are {_data: "SESSION:SEQ"}: the submission of this session up to which all is taken.
class Tokens {
 public:
  explicit Tokens(int64_t session) : prefix_(std::to_string(session) + ":") {}

  Position position(uint64_t seq) const {
    bson::Builder token;
    token.append("_data", prefix_ + std::to_string(seq));
    return Position(token.view());
  }
  // Empty for a position of another session.
  std::optional<uint64_t> seq_of(const Position& position) const {
    if (position.empty()) return std::nullopt;
    std::string_view text = token_data(position.token());
    if (!text.starts_with(prefix_)) return std::nullopt;
    text.remove_prefix(prefix_.size());
    uint64_t seq = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seq);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return seq;
  }

 private:
  const std::string prefix_;
};

// Saving a position answers the clients. Nothing is loaded, because nothing outlives the process.
class AnswerStore final : public PositionStore {
 public:
  AnswerStore(Door& door, const Tokens& tokens, const Clock& clock)
      : door_(door), tokens_(tokens), clock_(clock) {}

  Result<std::optional<StoredPosition>> acquire(const PositionContext& context, std::stop_token) override {
    StoredPosition stored;
    stored.saved_at_ms = clock_.wall_ms();
    stored.fingerprint = context.fingerprint;
    stored.deployment = context.deployment;
    stored.epoch = 1;
    return stored;
  }
  Status save(const DurablePosition& position, std::stop_token) override {
    if (const auto seq = tokens_.seq_of(position.get())) door_.acknowledge(*seq);
    return {};
  }
  Result<std::optional<StoredPosition>> peek(const std::string&, std::stop_token) override {
    return std::nullopt;
  }
  Status erase(std::stop_token) override { return {}; }
  void release() override {}
  std::string describe() const override { return "the clients of " + door_.path(); }

 private:
  Door& door_;
  const Tokens& tokens_;
  const Clock& clock_;
};

class HttpSource final : public Source {
 public:
  HttpSource(std::shared_ptr<Door> door, Clock& clock)
      : door_(std::move(door)), tokens_(clock.wall_ms()), answers_(*door_, tokens_, clock) {
    identity_.fingerprint = to_hex(sha256("http inlet 1\n" + door_->path()));
    identity_.summary = "POST " + door_->path();
  }
  ~HttpSource() override { close(); }

  SourceIdentity identity() const override { return identity_; }

  // What was read once and not yet saved is still in the pipeline, so that there is nothing to read again.
  Result<Position> open(const Position& from, std::stop_token) override {
    if (!from.empty() && !tokens_.seq_of(from))
      return fail(React::kPositionLost, "the position is no place of this process's HTTP source",
                  "its position lives in the answers to clients; none can be set");
    door_->open();
    if (!timeouts_.joinable())
      timeouts_ = std::jthread([door = door_](std::stop_token stop) { door->expire_until(std::move(stop)); });
    if (last_.empty()) last_ = from.empty() ? tokens_.position(0) : from;
    return from.empty() ? last_ : from;
  }

  Result<SourceBatch> read(std::chrono::milliseconds wait, std::stop_token stop) override {
    auto taken = door_->take(wait, stop);
    if (taken) {
      last_ = tokens_.position(taken->seq);
      return SourceBatch{std::move(taken->events), last_};
    }
    if (stop.stop_requested()) return fail(React::kCancelled, "the HTTP source is stopping");
    return SourceBatch{std::make_shared<EventBatch>(), last_};
  }

  Result<Position> resolve(const StartPoint& start, std::stop_token) override {
    if (start.kind == StartPoint::Kind::kNow) return tokens_.position(0);
    return fail(React::kConfig, "an HTTP source has no past to start from",
                "it takes what clients post from now on");
  }

  Result<SourceHealth> health(std::stop_token) override {
    SourceHealth health;
    health.deployment = "http";
    health.server = "HTTP inlet";
    health.backlog = door_->waiting_events();
    return health;
  }

  void on_ready(std::function<void()>) override {}
  PositionStore* own_positions() override { return &answers_; }

  void close() override {
    door_->close();
    if (timeouts_.joinable()) {
      timeouts_.request_stop();
      timeouts_.join();
    }
  }

 private:
  const std::shared_ptr<Door> door_;
  const Tokens tokens_;
  AnswerStore answers_;
  SourceIdentity identity_;
  Position last_;  // the end of what was read
  std::jthread timeouts_;
};

config::ComponentSpec make_spec() {
  using namespace config::fields;
  config::ComponentSpec spec;
  spec.kind = "source";
  spec.type = "http";
  spec.summary =
      "Takes CloudEvents 1.0 that clients post to the program's own server (`[server]`): structured, in "
      "batches, or in binary mode. A client gets 202 once every event of its request is durable at the sink "
      "(or in the dead letters), 400 when anything of it is invalid, and 503 when that can't be promised in "
      "time; it then sends the same again, which is why receivers must be idempotent. Needs no "
      "`[pipeline.position]`: the answer is the position.";
  spec.fields = {
      text("path", "/events", "The path that clients post to. It must not be one of the server's own."),
      bytes("queue_bytes_max", "8MiB", 64 << 10, int64_t{4} << 30,
            "The most bytes of events that wait to be read; a request beyond it is answered 503."),
      number("queue_requests_max", "4096", 1, 1'000'000,
             "The most requests whose events aren't durable yet; one more is answered 503."),
      number("batch_events_max", "10000", 1, 100'000,
             "The most events of one request; one with more is answered 400."),
      duration("reply_timeout", "10s", 100, 600'000,
               "How long a client waits for its events to become durable before it is answered 503. They may "
               "be stored later all the same.")};
  return spec;
}

Status check_path(const config::Settings& settings, const std::string& path) {
  const auto refuse = [&](std::string what, std::string hint = "") {
    return fail(settings.error("path", "\"" + path + "\" " + std::move(what), std::move(hint)));
  };
  if (!path.starts_with('/') || path.size() < 2) return refuse("is no path of a door", "write \"/events\"");
  if (path.size() > kPathBytesMax) return refuse("is too long");
  const bool plain = std::all_of(path.begin(), path.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/-._~").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (!plain) return refuse("holds characters other than letters, digits and - . _ ~ /");
  for (const std::string_view part : {"//", "/./", "/../"})
    if ((path + "/").find(part) != std::string::npos)
      return refuse("has an empty part, or one of dots", "write it without a slash at its end, \"/events\"");
  for (const std::string_view own : kReserved)
    if (path == own || path.starts_with(std::string(own) + "/"))
      return refuse("is the server's own", "choose another, \"/events\"");
  return {};
}

Result<std::unique_ptr<Source>> make(const config::Settings& settings, const ComponentContext& context) {
  const std::string& path = settings.string("path");
  TIDEMARK_TRY(check_path(settings, path));
  Door::Limits limits;
  limits.queue_bytes_max = static_cast<size_t>(settings.bytes("queue_bytes_max"));
  limits.queue_requests_max = static_cast<size_t>(settings.integer("queue_requests_max"));
  limits.reply_timeout = settings.duration("reply_timeout");
  limits.parse.events_max = static_cast<size_t>(settings.integer("batch_events_max"));
  auto door = std::make_shared<Door>(path, limits, *context.clock);
  if (context.plugboard != nullptr) context.plugboard->offer(std::shared_ptr<Inlet>(door));
  return std::make_unique<HttpSource>(std::move(door), *context.clock);
}

}  // namespace

const SourceComponent& http_source_component() {
  static const SourceComponent component{.spec = make_spec(), .make = make};
  return component;
}

}  // namespace tidemark
