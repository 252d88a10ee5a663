#include "sandbox/change_stream/text.h"

#include "bson/json.h"

namespace tidemark::sandbox {
namespace {

struct Style {
  std::string_view open, close;
};
constexpr Style kTight{"{", "}"};
constexpr Style kSpaced{"{ ", " }"};
constexpr int kDepthMax = 100;

void append_document(bson::View document, Style style, int depth, std::string& out);

void append_value(const bson::Element& element, Style style, int depth, std::string& out) {
  switch (element.type()) {
    case BSON_TYPE_DOCUMENT:
      return append_document(element.document(), style, depth + 1, out);
    case BSON_TYPE_ARRAY: {
      out += '[';
      std::string_view between = "";
      for (const bson::Element item : element.document()) {
        out += between;
        append_value(item, style, depth + 1, out);
        between = ", ";
      }
      out += ']';
      return;
    }
    case BSON_TYPE_UTF8:
      out += '"';
      out += element.string();
      out += '"';
      return;
    case BSON_TYPE_TIMESTAMP: {
      uint32_t seconds = 0;
      uint32_t increment = 0;
      bson_iter_timestamp(&element.iter(), &seconds, &increment);
      out += "Timestamp(" + std::to_string(seconds) + ", " + std::to_string(increment) + ")";
      return;
    }
    case BSON_TYPE_OID: {
      char text[25];
      bson_oid_to_string(bson_iter_oid(&element.iter()), text);
      out += std::string("ObjectId('") + text + "')";
      return;
    }
    default:
      return bson::append_json_value(element, bson::JsonMode::kRelaxed, out);
  }
}

void append_document(bson::View document, Style style, int depth, std::string& out) {
  if (document.empty() || depth > kDepthMax) {
    out += "{}";
    return;
  }
  std::string_view between = style.open;
  for (const bson::Element element : document) {
    out += between;
    out += element.key();
    out += ": ";
    append_value(element, style, depth, out);
    between = ", ";
  }
  out += style.close;
}

}  // namespace

std::string document_text(bson::View document) {
  std::string out;
  append_document(document, kTight, 0, out);
  return out;
}

std::string bson_text(bson::View document) {
  std::string out;
  append_document(document, kSpaced, 0, out);
  return out;
}

}  // namespace tidemark::sandbox
