// The arguments of a queue, and how a broker's refusal tells them. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark::amqp {

// What the broker says of one argument that differs from a declaration's.
struct Mismatch {
  std::string name;
  std::optional<std::string> value;  // that the queue has; empty = none
  std::string type;                  // "longstr", "signedint", "bool"; empty without a value

  std::optional<int64_t> number() const;
};

// Reads RabbitMQ's "inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received '3' but current is '20'", or
// "received none but current is the value '20' of type 'signedint'", anywhere in `text`. Empty for anything else.
std::optional<Mismatch> read_mismatch(std::string_view text);

struct QueueArguments {
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, int64_t>> numbers;
  std::vector<std::pair<std::string, bool>> booleans;

  // Takes over what the queue has, in place of what was said before. False for a type that can't be said.
  bool learn(const Mismatch& mismatch);
};

}  // namespace tidemark::amqp
