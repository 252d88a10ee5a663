#include "sources/rabbitmq/ack_position.h"

#include <charconv>
#include <string>

namespace tidemark {
namespace {

bool take(std::string_view& text, uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

}  // namespace

Position position_of(AckPoint point) {
  bson::Builder token;
  token.append("_data", std::to_string(point.session) + ":" + std::to_string(point.tag));
  return Position(token.view());
}

Result<AckPoint> ack_point(const Position& position) {
  if (position.empty()) return AckPoint{};
  const std::string_view whole = token_data(position.token());
  std::string_view text = whole;
  AckPoint point;
  const bool session = take(text, point.session) && text.starts_with(':');
  if (session) text.remove_prefix(1);
  if (!session || !take(text, point.tag) || !text.empty())
    return fail(React::kFatal, "'" + std::string(whole) + "' is not the position of a queue's consumer");
  return point;
}

}  // namespace tidemark
