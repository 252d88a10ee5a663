// What a session declares and asks about queues and exchanges.
#include <charconv>

#include "amqp/session_state.h"
#include "base/log.h"

namespace tidemark::amqp {
namespace {

using std::chrono::milliseconds;

// Until RabbitMQ has a new queue on disk: Mnesia's log is written up to two seconds late, the names of quorum queues (Ra's
// directory) up to one.
constexpr milliseconds kNewQueuePause{2'500};
// Since then a quorum queue without a limit has one, and -1 says that it shall have none; before, -1 drops a message at its
// first return.
constexpr int kUnlimitedSince = 4;
constexpr int64_t kDefaultLimit = 20;
constexpr int64_t kImpossibleLimit = 2'147'483'646;
constexpr size_t kNameBytesMax = 255;
constexpr int kArgumentsMax = 20;  // that a queue may have and a declaration learn

amqp_table_entry_t text_entry(const char* key, const char* value) {
  amqp_table_entry_t entry = {};
  entry.key = amqp_cstring_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_cstring_bytes(value);
  return entry;
}

amqp_table_entry_t boolean_entry(const char* key, bool value) {
  amqp_table_entry_t entry = {};
  entry.key = amqp_cstring_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = value ? 1 : 0;
  return entry;
}

amqp_table_entry_t number_entry(const char* key, int64_t value) {
  amqp_table_entry_t entry = {};
  entry.key = amqp_cstring_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_I64;
  entry.value.value.i64 = value;
  return entry;
}

QueueArguments arguments_of(const QueueOptions& queue) {
  QueueArguments arguments;
  arguments.texts.push_back({"x-queue-type", queue.type == QueueType::kQuorum ? "quorum" : "classic"});
  if (queue.length_max > 0) {
    arguments.numbers.push_back({"x-max-length", queue.length_max});
    arguments.texts.push_back({"x-overflow", "reject-publish"});
  }
  return arguments;
}

}  // namespace

Status Session::declare_exchange(const std::string& name, const std::string& type, std::stop_token stop) {
  return state_->link->call("exchange.declare", kChannel, false, stop, [&] {
    amqp_exchange_declare(state_->raw(), kChannel, bytes(name), bytes(type), 0, 1, 0, 0, amqp_empty_table);
  });
}

Result<QueueState> Session::declare_queue(const QueueOptions& queue, std::stop_token stop) {
  auto there = queue_state(queue.name, stop);
  if (!there && there.error().code != AMQP_NOT_FOUND) return there;
  // Whoever made it may have given it other arguments, or an earlier version of this program others than today's.
  if (there && queue.length_max == 0) return there;
  const QueueArguments plain = arguments_of(queue);
  if (there) return check_length(queue, plain, stop);
  auto made = queue.type == QueueType::kQuorum ? create_quorum(queue, plain, stop)
                                               : state_->declare(queue.name, plain, kChannel, stop);
  if (!made) return made;
  Clock& clock = state_->link->clock();
  if (!clock.sleep_until(clock.now() + kNewQueuePause, stop)) return fail(state_->link->stopped());
  return made;
}

// Declares it again with whatever else it has.
Result<QueueState> Session::check_length(const QueueOptions& queue, QueueArguments arguments,
                                         std::stop_token stop) {
  auto declared = state_->declare(queue.name, arguments, kAskChannel, stop);
  for (int asked = 0; asked < kArgumentsMax && !declared && declared.error().code == AMQP_PRECONDITION_FAILED;
       ++asked) {
    const auto told = read_mismatch(declared.error().what);
    if (!told || told->name == "x-max-length" || told->name == "x-overflow" || !arguments.learn(*told)) break;
    declared = state_->declare(queue.name, arguments, kAskChannel, stop);
  }
  return declared;
}

Result<QueueState> Session::create_quorum(const QueueOptions& queue, const QueueArguments& plain,
                                          std::stop_token stop) {
  QueueArguments safe = plain;
  if (major_version() >= kUnlimitedSince) safe.numbers.push_back({"x-delivery-limit", -1});
  QueueArguments with_returned = safe;
  const std::string returned = queue.returned();
  if (returned.size() <= kNameBytesMax) {
    QueueArguments aside = arguments_of({returned, QueueType::kQuorum, 0});
    if (major_version() >= kUnlimitedSince) aside.numbers.push_back({"x-delivery-limit", -1});
    with_returned.texts.push_back({"x-dead-letter-exchange", ""});
    with_returned.texts.push_back({"x-dead-letter-routing-key", returned});
    // It stays in the queue until the other one has it; needs the overflow that no length makes use of.
    with_returned.texts.push_back({"x-dead-letter-strategy", "at-least-once"});
    if (queue.length_max == 0) with_returned.texts.push_back({"x-overflow", "reject-publish"});
    // On the channel for questions: a user who may configure this one queue alone still gets it.
    const auto kept = queue_state(returned, stop) ? Result<QueueState>()
                                                  : state_->declare(returned, aside, kAskChannel, stop);
    auto made = kept ? state_->declare(queue.name, with_returned, kAskChannel, stop) : kept;
    if (made || state_->link->lost()) return made;
    log::warn("{}: queue '{}' gets no queue for messages that come back too often: {}", describe(),
              queue.name, made.error().what);
  }
  return state_->declare(queue.name, safe, kChannel, stop);
}

Result<QueueState> Session::State::declare(const std::string& name, const QueueArguments& with,
                                           uint16_t channel, std::stop_token stop) {
  std::vector<amqp_table_entry_t> entries;
  for (const auto& [key, value] : with.texts) entries.push_back(text_entry(key.c_str(), value.c_str()));
  for (const auto& [key, value] : with.numbers) entries.push_back(number_entry(key.c_str(), value));
  for (const auto& [key, value] : with.booleans) entries.push_back(boolean_entry(key.c_str(), value));
  QueueState state;
  const auto call = [&] {
    const amqp_table_t arguments = {static_cast<int>(entries.size()), entries.data()};
    const auto* ok = amqp_queue_declare(raw(), channel, bytes(name), 0, 1, 0, 0, arguments);
    if (ok != nullptr) state = {ok->message_count, ok->consumer_count};
  };
  TIDEMARK_TRY(channel == kAskChannel ? ask("queue.declare", std::move(stop), call)
                                      : link->call("queue.declare", channel, false, std::move(stop), call));
  link->release(channel);
  return state;
}

Result<DeliveryLimit> Session::delivery_limit(const std::string& queue, std::stop_token stop) {
  QueueArguments guess;
  // No queue has this limit, so that the broker never takes the declaration.
  guess.numbers.push_back({"x-delivery-limit", kImpossibleLimit});
  guess.texts.push_back({"x-queue-type", "quorum"});
  DeliveryLimit found;
  for (int asked = 0; asked < kArgumentsMax; ++asked) {
    const auto refused = state_->declare(queue, guess, kAskChannel, stop);
    if (refused || refused.error().code != AMQP_PRECONDITION_FAILED) {
      if (!refused && state_->link->lost()) return fail(refused.error());
      return found;  // it can't be told
    }
    const auto told = read_mismatch(refused.error().what);
    if (!told) return found;
    if (told->name == "x-queue-type") {
      found.known = true;  // the other types count nothing
      return found;
    }
    if (told->name == "x-dead-letter-exchange" && told->value) found.drops = false;
    if (told->name == "x-delivery-limit") {
      found.known = found.counts = true;
      found.limit = told->number();
      if (!found.limit && major_version() >= kUnlimitedSince) found.limit = kDefaultLimit;
      if (found.limit && *found.limit < 0) found.limit.reset();
      return found;
    }
    if (!guess.learn(*told)) return found;
  }
  return found;
}

int Session::major_version() const {
  const amqp_table_t* properties = amqp_get_server_properties(state_->raw());
  for (int i = 0; properties != nullptr && i < properties->num_entries; ++i) {
    const amqp_table_entry_t& entry = properties->entries[i];
    if (view(entry.key) != "version" || entry.value.kind != AMQP_FIELD_KIND_UTF8) continue;
    const std::string_view text = view(entry.value.value.bytes);
    int major = 0;
    std::from_chars(text.data(), text.data() + text.size(), major);
    return major;
  }
  return 0;
}

Status Session::bind(const std::string& queue, const std::string& exchange, const std::string& routing_key,
                     std::stop_token stop) {
  return state_->link->call("queue.bind", kChannel, false, stop, [&] {
    amqp_queue_bind(state_->raw(), kChannel, bytes(queue), bytes(exchange), bytes(routing_key),
                    amqp_empty_table);
  });
}

Result<QueueState> Session::queue_state(const std::string& queue, std::stop_token stop) {
  QueueState state;
  TIDEMARK_TRY(state_->ask("queue.declare", stop, [&] {
    const auto* ok =
        amqp_queue_declare(state_->raw(), kAskChannel, bytes(queue), 1, 0, 0, 0, amqp_empty_table);
    if (ok != nullptr) state = {ok->message_count, ok->consumer_count};
  }));
  state_->link->release(kAskChannel);
  return state;
}

Status Session::check_exchange(const std::string& name, std::stop_token stop) {
  return state_->ask("exchange.declare", stop, [&] {
    amqp_exchange_declare(state_->raw(), kAskChannel, bytes(name), bytes("direct"), 1, 0, 0, 0,
                          amqp_empty_table);
  });
}

}  // namespace tidemark::amqp
