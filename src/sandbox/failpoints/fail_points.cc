#include "sandbox/failpoints/fail_points.h"

#include <algorithm>
#include <array>

namespace tidemark::sandbox {
namespace {

constexpr std::array<std::string_view, 4> kKnown = {"failCommand", "failGetMoreAfterCursorCheckout",
                                                    "stopReplProducer", "rsSyncApplyStop"};

Reply<double> number(const bson::Element& element) {
  if (element.type() == BSON_TYPE_DOUBLE) return bson_iter_double(&element.iter());
  if (const auto whole = element.integer()) return static_cast<double>(*whole);
  return command_error(kTypeMismatch, "'" + std::string(element.key()) + "' must be a number");
}

}  // namespace

Reply<FailPoints::Mode> FailPoints::parse_mode(const bson::Element& mode) {
  if (mode.is_string()) {
    if (mode.string() == "off") return Mode{};
    if (mode.string() == "alwaysOn") return Mode{Mode::Kind::kAlwaysOn, 0, 0};
    return command_error(kBadValue, "unknown mode '" + std::string(mode.string()) + "' of a fail point");
  }
  if (!mode.is_document()) return command_error(kTypeMismatch, "'mode' must be a string or an object");
  for (const auto& field : mode.document()) {
    SANDBOX_ASSIGN(const double value, number(field));
    if (value < 0) return command_error(kBadValue, "'mode' of a fail point can't be negative");
    if (field.key() == "times") return Mode{Mode::Kind::kTimes, static_cast<int64_t>(value), 0};
    if (field.key() == "skip") return Mode{Mode::Kind::kSkip, static_cast<int64_t>(value), 0};
    if (field.key() == "activationProbability") return Mode{Mode::Kind::kProbability, 0, value};
  }
  return command_error(kBadValue,
                       "'mode' must be one of off, alwaysOn, times, skip or activationProbability");
}

Reply<void> FailPoints::parse_data(bson::View data, Point& point) {
  std::optional<int> error_code;
  std::vector<std::string> labels;
  bool block = false;
  int64_t block_ms = 0;
  for (const auto& field : data) {
    const auto key = field.key();
    if (key == "failCommands" && field.is_array()) {
      for (const auto& name : field.document())
        if (name.is_string()) point.commands.emplace_back(name.string());
    } else if (key == "errorCode" && field.integer()) {
      error_code = static_cast<int>(*field.integer());
    } else if (key == "errorLabels" && field.is_array()) {
      point.injection.labels_given = true;
      for (const auto& label : field.document())
        if (label.is_string()) labels.emplace_back(label.string());
    } else if (key == "closeConnection") {
      point.injection.close_connection = field.truthy();
    } else if (key == "blockConnection") {
      block = field.truthy();
    } else if (key == "blockTimeMS" && field.integer()) {
      block_ms = *field.integer();
    } else if (key == "appName" && field.is_string()) {
      point.app_name = field.string();
    } else if (key == "namespace" && field.is_string()) {
      point.ns = field.string();
    } else if (key == "writeConcernError" && field.is_document()) {
      point.injection.write_concern_error = bson::Document(field.document());
    } else if (key != "failInternalCommands" && key != "closeCursor" && key != "failAllCommands") {
      return command_error(
          kBadValue, "the fail point's data has a field that isn't supported: '" + std::string(key) + "'");
    }
  }
  if (block && (block_ms < 0 || block_ms > 600'000))
    return command_error(kBadValue, "'blockTimeMS' must be between 0 and 600000");
  if (block) point.injection.block_ms = block_ms;
  if (error_code)
    point.injection.error = CommandError{*error_code,
                                         code_name(*error_code),
                                         "Failing command via 'failCommand' failpoint",
                                         std::move(labels),
                                         {}};
  return {};
}

Reply<int64_t> FailPoints::configure(bson::View command) {
  const auto name = command.find("configureFailPoint");
  if (!name || !name->is_string())
    return command_error(kTypeMismatch, "'configureFailPoint' must be a string");
  if (std::find(kKnown.begin(), kKnown.end(), name->string()) == kKnown.end())
    return command_error(kBadValue, std::string(name->string()) + " not found");
  const auto mode = command.find("mode");
  if (!mode) return command_error(kBadValue, "a fail point needs a 'mode'");
  Point point;
  SANDBOX_ASSIGN(point.mode, parse_mode(*mode));
  if (const auto data = command.find("data"); data && data->is_document())
    SANDBOX_TRY(parse_data(data->document(), point));
  MutexLock lock(mutex_);
  Point& kept = points_[std::string(name->string())];
  point.fired = kept.fired;
  kept = std::move(point);
  return kept.fired;
}

bool FailPoints::fires(Point& point) {
  switch (point.mode.kind) {
    case Mode::Kind::kOff:
      return false;
    case Mode::Kind::kAlwaysOn:
      return true;
    case Mode::Kind::kTimes:
      if (point.mode.count == 0) return false;
      if (--point.mode.count == 0) point.mode.kind = Mode::Kind::kOff;
      return true;
    case Mode::Kind::kSkip:
      if (point.mode.count == 0) return true;
      point.mode.count--;
      return false;
    case Mode::Kind::kProbability:
      return random_.unit() < point.mode.probability;
  }
  return false;
}

Injection FailPoints::inject(std::string_view command, std::string_view app_name, std::string_view ns) {
  MutexLock lock(mutex_);
  if (points_.empty()) return {};
  for (const std::string_view name : {kKnown[0], kKnown[1]}) {
    const auto found = points_.find(name);
    if (found == points_.end()) continue;
    Point& point = found->second;
    const bool listed = name == "failCommand" ? std::find(point.commands.begin(), point.commands.end(),
                                                          command) != point.commands.end()
                                              : command == "getMore";
    if (!listed || (!point.app_name.empty() && point.app_name != app_name) ||
        (!point.ns.empty() && point.ns != ns))
      continue;
    if (!fires(point)) continue;
    point.fired++;
    return point.injection;
  }
  return {};
}

bool FailPoints::active(std::string_view name) const {
  MutexLock lock(mutex_);
  const auto found = points_.find(name);
  return found != points_.end() && found->second.mode.kind != Mode::Kind::kOff;
}

void FailPoints::clear() {
  MutexLock lock(mutex_);
  points_.clear();
}

}  // namespace tidemark::sandbox
