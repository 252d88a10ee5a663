#include "http/peers.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "http/client.h"
#include "http/views.h"

namespace tidemark::http {
namespace {

constexpr std::chrono::milliseconds kInterval{1000};
constexpr std::chrono::milliseconds kPollTimeout{2000};
constexpr std::chrono::milliseconds kLettersTimeout{15'000};
constexpr size_t kAlertsMax = 100;

// What the peer shows of its own peers is theirs to show; the rest is the peer's.
template <class Views>
void claim(Views& views, const std::string& url) {
  std::erase_if(views, [](const auto& view) { return !view.process.empty(); });
  for (auto& view : views) view.process = url;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

// What an answer that isn't 200 means.
Error refusal_of(const Url& url, const ClientAnswer& answer) {
  const std::string detail = parse_problem_detail(answer.body);
  const std::string what =
      url.text + " answers " + std::to_string(answer.status) + (detail.empty() ? "" : ": " + detail);
  switch (answer.status) {
    case 401:
      return {React::kFatal, what, "check peer_token in [server]"};
    case 404:
      return {React::kReject, what};
    case 503:
      return {React::kRetry, what};
    default:
      return {React::kFatal, what};
  }
}

}  // namespace

PeeredBackend::PeeredBackend(Backend& own, std::vector<Url> peers, std::string token, Clock& clock)
    : own_(own), token_(std::move(token)), clock_(clock) {
  for (Url& url : peers) peers_.push_back(std::make_unique<Peer>(std::move(url)));
  for (const auto& peer : peers_)
    threads_.emplace_back([this, peer = peer.get()](const std::stop_token& stop) { follow(*peer, stop); });
}

PeeredBackend::~PeeredBackend() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

void PeeredBackend::follow(Peer& peer, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Mono next = clock_.now() + kInterval;
    ask_once(peer, stop);
    if (!clock_.sleep_until(next, stop)) return;
  }
}

void PeeredBackend::ask_once(Peer& peer, const std::stop_token& stop) {
  const auto answer =
      ask(peer.url, {.target = "/api/pipelines", .token = token_, .body = {}, .timeout = kPollTimeout}, stop);
  std::optional<PeerAnswer> parsed;
  std::string error;
  if (!answer) {
    if (answer.error().react == React::kCancelled) return;
    error = answer.error().describe();
  } else if (answer->status != 200) {
    error = refusal_of(peer.url, *answer).describe();
  } else if (parsed = parse_overview(answer->body); !parsed) {
    error = peer.url.text + " answers with something that isn't /api/pipelines";
  }
  MutexLock lock(peer.mutex);
  if (peer.error.empty() != error.empty()) {
    if (error.empty())
      log::info("server: the peer {} answers again", peer.url.text);
    else
      log::warn("server: {}", error);
  }
  peer.error = std::move(error);
  if (!parsed) return;
  claim(parsed->pipelines, peer.url.text);
  claim(parsed->guard.alerts, peer.url.text);
  claim(parsed->guard.audits, peer.url.text);
  peer.known = std::move(parsed->pipelines);
  peer.guard = std::move(parsed->guard);
  peer.answered_at = clock_.now();
}

void PeeredBackend::add_views(const Peer& peer, std::vector<PipelineView>& views) const {
  MutexLock lock(peer.mutex);
  const double age_s = std::chrono::duration<double>(clock_.now() - peer.answered_at).count();
  for (PipelineView view : peer.known) {
    if (!peer.error.empty()) {
      view.state = "unreachable";
      view.error = peer.error;
      view.ready = false;
      view.not_ready = peer.error;
      view.events_per_s = 0;
      view.retry_in_s.reset();
      view.proof_of_life_s = view.proof_of_life_s.value_or(0) + age_s;
    }
    views.push_back(std::move(view));
  }
}

std::vector<PipelineView> PeeredBackend::pipelines() const {
  std::vector<PipelineView> views = own_.pipelines();
  for (const auto& peer : peers_) add_views(*peer, views);
  return views;
}

// A peer that doesn't answer keeps what its guard found last; the ages go on.
void PeeredBackend::add_guard(const Peer& peer, guard::GuardView& all) const {
  MutexLock lock(peer.mutex);
  if (!peer.guard.configured) return;
  const double since_s = std::chrono::duration<double>(clock_.now() - peer.answered_at).count();
  // One figure stands for all guards: that of the one that looked longest ago.
  if (!all.configured) {
    all.age_s = 0;
    all.interval_s = 0;
  }
  all.configured = true;
  all.interval_s = std::max(all.interval_s, peer.guard.interval_s);
  all.age_s = all.age_s && peer.guard.age_s ? std::optional(std::max(*all.age_s, *peer.guard.age_s + since_s))
                                            : std::nullopt;
  all.alerts.insert(all.alerts.end(), peer.guard.alerts.begin(), peer.guard.alerts.end());
  for (guard::AuditView audit : peer.guard.audits) {
    if (audit.age_s) *audit.age_s += since_s;
    all.audits.push_back(std::move(audit));
  }
  all.notices_sent += peer.guard.notices_sent;
  all.notices_failed += peer.guard.notices_failed;
}

guard::GuardView PeeredBackend::guard() const {
  guard::GuardView all = own_.guard();
  for (const auto& peer : peers_) add_guard(*peer, all);
  std::stable_sort(all.alerts.begin(), all.alerts.end(), [](const auto& a, const auto& b) {
    if (a.firing != b.firing) return a.firing;
    return a.fired_at_ms > b.fired_at_ms;
  });
  if (all.alerts.size() > kAlertsMax) all.alerts.resize(kAlertsMax);
  return all;
}

const PeeredBackend::Peer* PeeredBackend::owner_of(const std::string& pipeline) const {
  const auto named = [&](const PipelineView& view) { return view.name == pipeline; };
  const auto own = own_.pipelines();
  if (std::any_of(own.begin(), own.end(), named)) return nullptr;
  for (const auto& peer : peers_) {
    MutexLock lock(peer->mutex);
    if (std::any_of(peer->known.begin(), peer->known.end(), named)) return peer.get();
  }
  return nullptr;
}

Result<std::vector<LetterView>> PeeredBackend::letters(const std::string& pipeline, const std::string& after,
                                                       size_t limit) {
  const Peer* peer = owner_of(pipeline);
  if (peer == nullptr) return own_.letters(pipeline, after, limit);
  const std::string target = fmt::format("/api/dlq?pipeline={}&after={}&limit={}", percent_encoded(pipeline),
                                         percent_encoded(after), limit);
  TIDEMARK_ASSIGN(
      const ClientAnswer answer,
      ask(peer->url, {.target = target, .token = token_, .body = {}, .timeout = kLettersTimeout}));
  if (answer.status != 200) return fail(refusal_of(peer->url, answer));
  auto letters = parse_letters(answer.body);
  if (!letters) return fail(React::kFatal, peer->url.text + " answers with something that isn't /api/dlq");
  return std::move(*letters);
}

Status PeeredBackend::command(const Peer& peer, const std::string& target, const std::string& pipeline,
                              const std::string& id) {
  TIDEMARK_ASSIGN(const ClientAnswer answer, ask(peer.url, {.method = "POST",
                                                            .target = target,
                                                            .token = token_,
                                                            .body = render_letter_command({pipeline, id}),
                                                            .timeout = kLettersTimeout}));
  if (answer.status != 200) return fail(refusal_of(peer.url, answer));
  return {};
}

Status PeeredBackend::retry_letter(const std::string& pipeline, const std::string& id) {
  const Peer* peer = owner_of(pipeline);
  return peer == nullptr ? own_.retry_letter(pipeline, id) : command(*peer, "/api/dlq/retry", pipeline, id);
}

Status PeeredBackend::discard_letter(const std::string& pipeline, const std::string& id) {
  const Peer* peer = owner_of(pipeline);
  return peer == nullptr ? own_.discard_letter(pipeline, id)
                         : command(*peer, "/api/dlq/discard", pipeline, id);
}

}  // namespace tidemark::http
