#include "sandbox/change_stream/split.h"

#include <algorithm>

namespace tidemark::sandbox {
namespace {

struct Field {
  bson::Element element;
  size_t size;  // in the document: type, name and value
};

std::vector<Field> fields_by_size(bson::View event) {
  std::vector<Field> fields;
  for (const bson::Element element : event) {
    if (element.key() == "_id") continue;
    fields.push_back({element, 2 + element.key().size() + element.value_bytes().size()});
  }
  std::sort(fields.begin(), fields.end(), [](const Field& a, const Field& b) {
    return a.size != b.size ? a.size < b.size : a.element.key() < b.element.key();
  });
  return fields;
}

constexpr size_t kSplitEventBytes = 64;  // splitEvent and what surrounds it

}  // namespace

Reply<std::vector<Fragment>> split_event(bson::View event, TokenData token, size_t size_max) {
  const std::vector<Field> fields = fields_by_size(event);
  if (fields.empty()) {
    return command_error(7182502, "Cannot split an empty event or an event containing solely '_id' field");
  }
  // First who goes where, because every fragment tells how many there are.
  std::vector<size_t> first_fields;
  TokenWriter writer;
  token.fragment = 0;
  writer.encode(token);
  const size_t base = kSplitEventBytes + writer.document().size() + 8;
  size_t size = 0;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (first_fields.empty() || size + fields[i].size > size_max) {
      first_fields.push_back(i);
      size = base;
    }
    size += fields[i].size;
    if (size > size_max) {
      return command_error(7182500, "Splitting change event failed: fragment size " + std::to_string(size) +
                                        " is greater than maximum allowed fragment size " +
                                        std::to_string(size_max));
    }
  }
  std::vector<Fragment> fragments;
  first_fields.push_back(fields.size());
  for (size_t f = 0; f + 1 < first_fields.size(); ++f) {
    token.fragment = static_cast<int64_t>(f);
    writer.encode(token);
    bson::Builder fragment;
    writer.append_to(fragment.raw(), "_id");
    bson::Builder split;
    split.append("fragment", static_cast<int32_t>(f + 1))
        .append("of", static_cast<int32_t>(first_fields.size() - 1));
    fragment.append("splitEvent", split.view());
    for (size_t i = first_fields[f]; i < first_fields[f + 1]; ++i) {
      fragment.append(fields[i].element.key(), fields[i].element);
    }
    fragments.push_back({fragment.finish(), writer.document()});
  }
  return fragments;
}

}  // namespace tidemark::sandbox
