#include "cloudevents/event_reader.h"

#include <algorithm>
#include <array>
#include <limits>

#include "cloudevents/rules.h"

namespace tidemark::cloudevents {
namespace {

constexpr std::array<std::string_view, 9> kStrings{
    "specversion", "id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "data_base64"};

// A name that may be anything, cut to what a message bears.
std::string shown(std::string_view name) {
  constexpr size_t kShownMax = 64;
  if (name.empty()) return "\"\"";
  size_t size = std::min(name.size(), kShownMax);
  while (size > 0 && size < name.size() && (static_cast<unsigned char>(name[size]) & 0xc0) == 0x80) --size;
  return std::string(name.substr(0, size));
}

}  // namespace

void add_problem(Problems& problems, std::string where, std::string what) {
  if (problems.size() < Answer::kProblemsMax) problems.push_back({std::move(where), std::move(what)});
}

bool EventReader::report(const std::string& prefix, Problems& problems) {
  const JsonReader::Failure& failure = json_.failure();
  add_problem(problems, failure.where.empty() ? "body" : prefix + failure.where, failure.what);
  return false;
}

bool EventReader::report_syntax(simdjson::error_code error, Problems& problems) {
  json_.fail_syntax(error);
  return report("", problems);
}

bool EventReader::read(ondemand::object object, const std::string& place, Problems& problems) {
  event_.clear();
  json_.names().clear();
  seen_ = {};
  const std::string prefix = place.empty() ? place : place + ".";
  for (auto member : object) {
    ondemand::field field;
    if (const auto error = std::move(member).get(field)) return report_syntax(error, problems);
    std::string_view name;
    if (const auto error = field.unescaped_key().get(name)) return report_syntax(error, problems);
    json_.names().push_back(name);
    if (!read_member(name, field.value(), prefix, problems)) {
      json_.below_name(shown(name));
      return report(prefix, problems);
    }
  }
  if (!json_.all_different(0)) return report(prefix, problems);
  check_whole(place, prefix, problems);
  identity_.assign(seen_.source).append(" ").append(seen_.id);
  return true;
}

void EventReader::check_whole(const std::string& place, const std::string& prefix, Problems& problems) {
  const auto require = [&](bool present, const char* name) {
    if (!present) add_problem(problems, prefix + name, "is missing");
  };
  require(seen_.specversion, "specversion");
  require(seen_.has_id, "id");
  require(seen_.has_source, "source");
  require(seen_.type, "type");
  if (seen_.data && seen_.data_base64)
    add_problem(problems, prefix + "data_base64", "is there beside data: an event has one of the two");
  if (event_.view().size() > limits_.bson_bytes_max)
    add_problem(problems, place.empty() ? "body" : place,
                "takes more than " + std::to_string(limits_.bson_bytes_max) + " bytes as BSON");
}

bool EventReader::read_member(std::string_view name, ondemand::value value, const std::string& prefix,
                              Problems& problems) {
  if (name == "data") {
    seen_.data = true;
    return json_.append(value, name, event_.raw(), 1);
  }
  if (name != "data_base64" && !is_attribute_name(name)) {
    add_problem(problems, prefix + shown(name),
                "is not an attribute name: lower-case letters and digits alone");
    return skip(value);
  }
  return take_attribute(name, value, prefix, problems);
}

bool EventReader::take_attribute(std::string_view name, ondemand::value value, const std::string& prefix,
                                 Problems& problems) {
  ondemand::json_type type;
  if (const auto error = value.type().get(type)) return json_.fail_syntax(error);
  if (type == ondemand::json_type::string) {
    std::string_view text;
    if (const auto error = value.get_string().get(text)) return json_.fail_syntax(error);
    take_string(name, text, prefix, problems);
    return true;
  }
  if (type == ondemand::json_type::null) return skip(value);  // the same as absent
  if (std::find(kStrings.begin(), kStrings.end(), name) != kStrings.end()) {
    mark(name, {});
    add_problem(problems, prefix + std::string(name), "is not a string");
    return skip(value);
  }
  if (type == ondemand::json_type::boolean) return json_.append(value, name, event_.raw(), 1);
  if (type == ondemand::json_type::number) return take_number(name, value, prefix, problems);
  add_problem(problems, prefix + std::string(name), "is neither a string, a boolean nor an integer");
  return skip(value);
}

bool EventReader::take_number(std::string_view name, ondemand::value value, const std::string& prefix,
                              Problems& problems) {
  int64_t whole = 0;
  const bool read = value.get_int64().get(whole) == simdjson::SUCCESS;
  if (read && whole >= std::numeric_limits<int32_t>::min() && whole <= std::numeric_limits<int32_t>::max()) {
    event_.append(name, whole);
    return true;
  }
  add_problem(problems, prefix + std::string(name), "is not an integer of 32 bits");
  return read || skip(value);
}

void EventReader::take_string(std::string_view name, std::string_view text, const std::string& prefix,
                              Problems& problems) {
  mark(name, text);
  const Flaw flaw = name == "data_base64" ? check_base64(text) : check_attribute(name, text);
  if (flaw != nullptr) return add_problem(problems, prefix + std::string(name), flaw);
  event_.append(name, text);
}

void EventReader::mark(std::string_view name, std::string_view text) {
  if (name == "specversion") seen_.specversion = true;
  if (name == "type") seen_.type = true;
  if (name == "data_base64") seen_.data_base64 = true;
  if (name == "id") {
    seen_.has_id = true;
    seen_.id = text;
  }
  if (name == "source") {
    seen_.has_source = true;
    seen_.source = text;
  }
}

bool EventReader::skip(ondemand::value value) {
  skipped_.clear();
  return json_.append(value, "", skipped_.raw(), 1);
}

}  // namespace tidemark::cloudevents
