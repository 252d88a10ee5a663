// Bytes as a document: either View::parse refuses them, or the walk meets every byte of them, all levels down, and a copy
// that a Builder makes field by field has the very same bytes.
#include <cstdint>
#include <cstdlib>

#include "bson/document.h"

namespace bson = tidemark::bson;

namespace {

size_t bytes_met(bson::View document) {
  size_t met = 5;
  for (const bson::Element field : document) {
    met += 1 + field.key().size() + 1 + field.value_bytes().size();
    switch (field.type()) {
      case BSON_TYPE_DOCUMENT:
      case BSON_TYPE_ARRAY:
        if (bytes_met(field.document()) != field.value_bytes().size()) std::abort();
        break;
      case BSON_TYPE_CODEWSCOPE: {
        const bson::ScopedCode scoped = field.scoped_code();
        if (4 + 4 + scoped.code.size() + 1 + bytes_met(scoped.scope) != field.value_bytes().size())
          std::abort();
        break;
      }
      case BSON_TYPE_UTF8:
      case BSON_TYPE_CODE:
      case BSON_TYPE_SYMBOL:
        if (4 + field.string().size() + 1 != field.value_bytes().size()) std::abort();
        break;
      case BSON_TYPE_DBPOINTER:
        if (4 + field.db_pointer().collection.size() + 1 + 12 != field.value_bytes().size()) std::abort();
        break;
      case BSON_TYPE_REGEX:
        if (field.regex().pattern.size() + field.regex().options.size() + 2 != field.value_bytes().size())
          std::abort();
        break;
      case BSON_TYPE_BINARY:
        if (field.binary().bytes.size() + 5 > field.value_bytes().size()) std::abort();
        break;
      default:
        break;
    }
  }
  return met;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto view = bson::View::parse({data, size});
  if (!view) {
    if (view.error().what.empty()) std::abort();
    (void)bson::outer_fields({data, size});
    return 0;
  }
  if (bytes_met(*view) != size) std::abort();
  bson::Builder copy;
  for (const bson::Element field : *view) copy.append(field.key(), field);
  if (!(copy.view() == *view)) std::abort();
  return 0;
}
