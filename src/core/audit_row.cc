#include "core/audit_row.h"

#include <algorithm>

#include "bson/json.h"
#include "bson/json_reader.h"

namespace tidemark {
namespace {

void append_size(size_t size, std::string& out) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(size >> (8 * i)));
}

void set_size(size_t at, std::string& out) {
  const size_t size = out.size() - at;
  for (size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>(size >> (8 * i));
}

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bson::View inside(const bson::Element& field) {
  if (field.is_document() || field.is_array()) return field.document();
  return field.type() == BSON_TYPE_CODEWSCOPE ? field.scoped_code().scope : bson::View();
}

}  // namespace

void AuditRowMaker::of_document(const bson::Element& id, bson::View document, AuditRow& row) {
  row.id.clear();
  row.key.clear();
  row.doc.clear();
  row.flaw.clear();
  row.time_ms.reset();
  bson::append_json_value(id, bson::JsonMode::kCanonical, row.id);
  append_key(id, row.key);
  normalize(document, row.doc);
}

void AuditRowMaker::of_texts(std::string_view id, std::string_view document, std::string_view time_field,
                             AuditRow& row) {
  row.id = id;
  row.key.clear();
  row.doc.clear();
  row.flaw.clear();
  row.time_ms.reset();
  const auto flawed = [&](std::string why) {
    row.flaw = std::move(why);
    row.doc = document;
  };

  // Both ways: a text that only means the id, `1` for {"$numberInt":"1"}, is no id that an event could name.
  const auto key = bson::read_json_value(id, "_id");
  if (!key) return flawed("its id can't be read back: " + key.error().what);
  const auto value = key->view().find("_id");
  text_.clear();
  if (value) bson::append_json_value(*value, bson::JsonMode::kCanonical, text_);
  if (!value || text_ != id) return flawed("its id is not what a sink writes");
  append_key(*value, row.key);

  const auto read = bson::read_json(document);
  if (!read) return flawed("its document can't be read back: " + read.error().what);
  const auto inner = read->view().find("_id");
  if (inner && !same_id(*value, *inner)) return flawed("the _id of its document is another");
  normalize(*read, row.doc);
  if (!time_field.empty()) row.time_ms = time_in(*read, time_field);
}

// An `_id` that is a document is in another order than the row's id where the document's fields are.
bool AuditRowMaker::same_id(const bson::Element& id, const bson::Element& inner) {
  if (id.type() != inner.type()) return false;
  if (form_ == AuditForm::kAsIs) return text_of(id.value_bytes()) == text_of(inner.value_bytes());
  text_.clear();
  append_value({id.key(), id.type(), text_of(id.value_bytes()), inside(id)}, text_);
  const size_t end = text_.size();
  append_value({inner.key(), inner.type(), text_of(inner.value_bytes()), inside(inner)}, text_);
  return std::string_view(text_).substr(0, end) == std::string_view(text_).substr(end);
}

void AuditRowMaker::normalize(bson::View document, std::string& out) {
  if (form_ == AuditForm::kAsIs) {
    out.append(text_of(document.bytes()));
    return;
  }
  fields_.clear();
  append_sorted(document, false, out);
}

void AuditRowMaker::append_sorted(bson::View document, bool array, std::string& out) {
  const size_t at = out.size();
  const size_t base = fields_.size();
  for (const bson::Element field : document)
    fields_.push_back({field.key(), field.type(), text_of(field.value_bytes()), inside(field)});
  // Doubled keys keep their order, which is that of their bytes.
  if (!array)
    std::sort(fields_.begin() + static_cast<ptrdiff_t>(base), fields_.end(),
              [](const Field& a, const Field& b) {
                const int order = a.key.compare(b.key);
                return order != 0 ? order < 0 : a.key.data() < b.key.data();
              });
  append_size(0, out);
  for (size_t i = base, end = fields_.size(); i < end; ++i) {
    const Field field = fields_[i];  // a copy: what is inside of it comes behind it in the same vector
    out.push_back(static_cast<char>(field.type));
    out.append(field.key).push_back('\0');
    append_value(field, out);
  }
  out.push_back('\0');
  set_size(at, out);
  fields_.resize(base);
}

void AuditRowMaker::append_value(const Field& field, std::string& out) {
  if (!field.document) {
    out.append(field.value);
    return;
  }
  if (field.type != BSON_TYPE_CODEWSCOPE)
    return append_sorted(field.document, field.type == BSON_TYPE_ARRAY, out);
  // The length of it all, the code, and then the scope.
  const size_t at = out.size();
  out.append(field.value.substr(0, field.value.size() - field.document.size()));
  append_sorted(field.document, false, out);
  set_size(at, out);
}

}  // namespace tidemark
