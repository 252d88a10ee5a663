// Dead letters: events that no retry can deliver, kept with the reason.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/event.h"

namespace tidemark {

struct DeadLetter {
  std::string id;  // Event::id
  std::string pipeline;
  std::string reason;
  std::string event;         // the change event in canonical Extended JSON, for people
  int64_t at_ms = 0;         // civil time
  int attempts = 1;          // how often it was tried, this time included
  std::string origin = {};   // where it came from, where the store knows: "queue events"
  std::string payload = {};  // Event::payload: the message as it came
  bool malformed = false;    // Event::malformed: another try can't help
  // `event` in BSON, byte for byte: what a retry begins with. Empty in letters of versions that kept the text alone.
  std::string bytes = {};
  bool hidden = false;  // Event::hidden: redactions have been at work in event, bytes and payload
  // The message as it came, with nothing hidden, for putting it back where it came from. Never kept.
  std::string message = {};
  bool message_hidden = false;  // it was hidden when it came: it is a letter that was put back
};

// The letter's event, for which `batch` keeps the memory: as its source handed it out, no transform applied but what hides.
// kReject when nothing can be made of what was kept.
Result<Event> event_of(const DeadLetter& letter, EventBatch& batch);

// What put() did with the letter.
enum class LetterFate {
  kKept,     // it is a dead letter now
  kRetried,  // it was put back before the source, to be tried again
};

// One thread at a time.
class DeadLetterStore {
 public:
  virtual ~DeadLetterStore() = default;
  virtual Status open(std::stop_token stop) = 0;
  // Durable on return. The same id again replaces the first: a replay adds nothing.
  virtual Result<LetterFate> put(const DeadLetter& letter, std::stop_token stop) = 0;
  // In order of id (a broker's queue: in its own order), at most `limit`, after `after`.
  virtual Result<std::vector<DeadLetter>> list(const std::string& pipeline, const std::string& after,
                                               size_t limit) = 0;
  virtual Result<std::optional<DeadLetter>> find(const std::string& pipeline, const std::string& id) = 0;
  virtual Result<uint64_t> count(const std::string& pipeline) = 0;
  // A letter that isn't there is no error.
  virtual Status remove(const std::string& pipeline, const std::string& id) = 0;
  // Whether redeliver() puts a letter back before the pipeline's source; where not, the caller writes the event to the
  // pipeline's sink and removes the letter.
  virtual bool redelivers() const { return false; }
  // Puts the letter back with no attempts counted, and removes it, in an order that can duplicate it and never lose it.
  virtual Status redeliver(const std::string& pipeline, const std::string& id, std::stop_token stop);
};

}  // namespace tidemark
