#include "amqp/publisher.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>

#include "amqp/errors.h"

namespace tidemark::amqp {

using std::chrono::milliseconds;

// --- the window

void ConfirmWindow::start(uint64_t first, size_t count) {
  first_ = first;
  fates_.assign(count, Fate::kOpen);
  open_ = count;
  low_ = 0;
}

void ConfirmWindow::settle(size_t index, Fate fate) {
  if (fates_[index] != Fate::kOpen) return;
  fates_[index] = fate;
  --open_;
  while (low_ < fates_.size() && fates_[low_] != Fate::kOpen) ++low_;
}

void ConfirmWindow::decide(uint64_t number, bool multiple, Fate fate) {
  if (number < first_) return;
  const uint64_t index = number - first_;
  if (!multiple) {
    if (index < fates_.size()) settle(static_cast<size_t>(index), fate);
    return;
  }
  const size_t end = static_cast<size_t>(std::min<uint64_t>(index + 1, fates_.size()));
  for (size_t each = low_; each < end; ++each) settle(each, fate);
}

size_t ConfirmWindow::confirmed_prefix() const {
  size_t prefix = 0;
  while (prefix < fates_.size() && fates_[prefix] == Fate::kConfirmed) ++prefix;
  return prefix;
}

// --- publishing

void Publisher::begin() {
  sent_.clear();
  broken_.reset();
  unroutable_.reset();
  first_ = session_.published() + 1;
}

Status Publisher::add(const Message& message, std::stop_token stop) {
  if (broken_) return fail(*broken_);
  Status published = session_.publish(message, std::move(stop));
  // Even one that failed half-way was numbered by the broker, if it got there.
  if (session_.published() >= first_ + sent_.size())
    sent_.push_back({std::hash<std::string_view>()(message.message_id), message.body.size()});
  if (!published) broken_ = published.error();
  return published;
}

void Publisher::take(const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::kAck:
      window_.ack(verdict.number, verdict.multiple);
      return;
    case Verdict::Kind::kNack:
      window_.nack(verdict.number, verdict.multiple);
      return;
    case Verdict::Kind::kReturn:
      break;
  }
  const uint64_t hash = std::hash<std::string_view>()(verdict.message_id);
  for (size_t index = 0; index < sent_.size(); ++index) {
    if (sent_[index].id_hash != hash || window_.fate(index) != ConfirmWindow::Fate::kOpen) continue;
    window_.returned(index);
    break;
  }
  if (unroutable_) return;
  Error error = close_error(verdict.code, verdict.text, session_.describe());
  error.what += ": no queue takes a message from exchange \"" + verdict.exchange + "\" with routing key \"" +
                verdict.routing_key + "\"";
  unroutable_ = std::move(error);
}

PublishResult Publisher::finish(milliseconds timeout, std::stop_token stop) {
  const Mono deadline = clock_.now() + timeout;
  window_.start(first_, sent_.size());
  // A message that can't be said at all leaves the session sound, and those before it may still be confirmed.
  std::optional<Error> rejected;
  if (broken_ && !session_.lost() && broken_->react == React::kReject)
    rejected = std::exchange(broken_, std::nullopt);
  if (!broken_) {
    if (Status flushed = session_.flush(stop); !flushed) broken_ = flushed.error();
  }
  Verdict verdict;
  while (!window_.complete()) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - clock_.now());
    // What had come before the connection broke still counts.
    auto came =
        session_.next_verdict(verdict, broken_ ? milliseconds(0) : std::max(left, milliseconds(0)), stop);
    if (!came) {
      if (!broken_) broken_ = came.error();
      break;
    }
    if (*came) {
      take(verdict);
      continue;
    }
    if (!broken_) {
      const std::string why = session_.blocked().empty()
                                  ? "no confirm came within " + std::to_string(timeout.count()) + " ms"
                                  : "the broker takes no messages now: " + session_.blocked();
      broken_ =
          Error{React::kRetry, session_.describe() + ": " + why,
                session_.blocked().empty() ? "is the broker overloaded, or a quorum without its majority?"
                                           : "it waits for memory or disk space: look at its alarms"};
    }
    break;
  }
  PublishResult result;
  result.confirmed_prefix = window_.confirmed_prefix();
  result.culprit = result.confirmed_prefix;
  if (broken_) {
    result.error = broken_;
    explain(result);
  } else if (unroutable_) {
    result.error = unroutable_;
  } else if (result.confirmed_prefix < window_.size()) {
    result.error = refused();
  } else if (rejected) {
    result.error = rejected;
    result.culprit = sent_.size();
  }
  return result;
}

Error Publisher::refused() const {
  size_t count = 0;
  for (size_t index = 0; index < window_.size(); ++index)
    count += window_.fate(index) == ConfirmWindow::Fate::kRefused;
  return {React::kRetry,
          session_.describe() + ": the broker refused " + std::to_string(count) + " of " +
              std::to_string(window_.size()) + " messages: a queue is full (or failed)",
          "let the consumers catch up, or raise the queue's maximum length; tried again until they fit"};
}

// "message size 150 is larger than configured max size 100": the message with that size is the culprit.
void Publisher::explain(PublishResult& result) const {
  if (result.error->react != React::kReject) return;
  const std::string& text = result.error->what;
  const size_t at = text.find("message size ");
  size_t size = 0;
  if (at != text.npos) std::from_chars(text.data() + at + 13, text.data() + text.size(), size);
  for (size_t index = result.confirmed_prefix; index < sent_.size(); ++index) {
    if (sent_[index].body_size != size) continue;
    result.culprit = index;
    return;
  }
  result.error->react = React::kConfig;
}

PublishResult Publisher::publish(std::span<const Message> messages, milliseconds timeout,
                                 std::stop_token stop) {
  begin();
  for (const Message& message : messages) {
    if (!add(message, stop)) break;
  }
  return finish(timeout, stop);
}

}  // namespace tidemark::amqp
