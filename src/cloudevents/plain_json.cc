#include "cloudevents/plain_json.h"

#include "cloudevents/json_reader.h"

namespace tidemark::cloudevents {
namespace {

Result<bson::Document> refused(const JsonReader& reader) {
  const JsonReader::Failure& failure = reader.failure();
  return fail(React::kReject, (failure.where.empty() ? "" : failure.where + ": ") + failure.what);
}

}  // namespace

Result<bson::Document> read_plain_object(std::string_view json) {
  // Within brackets the object is a value like any other, and what stands behind it is seen.
  JsonReader reader;
  if (!reader.open("[" + std::string(json) + "]")) return refused(reader);
  ondemand::array array;
  const auto no_object = [] { return fail(React::kReject, "is not one JSON object"); };
  if (reader.document().get_array().get(array)) return no_object();
  bson::Document found;
  size_t values = 0;
  for (auto item : array) {
    ondemand::value value;
    bson::Builder holder;
    if (std::move(item).get(value) || ++values > 1) return no_object();
    if (!reader.append(value, "v", holder.raw(), 1)) return refused(reader);
    const bson::View whole = holder.view();
    const bson::Element read = *whole.begin();
    if (!read.is_document()) return no_object();
    found = bson::Document(read.document());
  }
  if (values != 1 || !reader.at_end()) return no_object();
  return found;
}

}  // namespace tidemark::cloudevents
