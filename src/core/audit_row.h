// Makes the rows that an audit compares: from a document of the source what the destination must hold, from the texts of a
// destination what it does hold. Both end as BSON in one normal form, by the same code, and nothing here asks the writer of
// those texts what they ought to be: what a text leaves out, changes, or can't be read back from is a difference
// (docs/adr/0037). An object belongs to one thread and reuses its memory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "core/audit.h"

namespace tidemark {

// What a destination keeps of the order of fields.
enum class AuditForm {
  kAsIs,          // all of it
  kFieldsSorted,  // nothing, all levels down (jsonb); items of arrays stay where they are
};

class AuditRowMaker {
 public:
  explicit AuditRowMaker(AuditForm form) : form_(form) {}

  // `id` is the value of `_id` that the row is found by; `document` may lack it, when a transform has taken it out.
  // Without a time.
  void of_document(const bson::Element& id, bson::View document, AuditRow& row);

  // What stands in a row, as texts that a sink has written: the id as append_json_value(kCanonical), the document as
  // append_json(kCanonical), which jsonb may have put into another order. Whatever they are, they make a row; what isn't a
  // document of that id makes one with a flaw. Its time is the one in `time_field`, where that isn't empty.
  void of_texts(std::string_view id, std::string_view document, std::string_view time_field, AuditRow& row);

 private:
  bool same_id(const bson::Element& id, const bson::Element& inner);
  void normalize(bson::View document, std::string& out);
  void append_sorted(bson::View document, bool array, std::string& out);

  struct Field {
    std::string_view key;
    bson_type_t type;
    std::string_view value;  // its bytes
    bson::View document;     // of a document or an array; the scope of a code that has one
  };
  void append_value(const Field& field, std::string& out);

  const AuditForm form_;
  std::vector<Field> fields_;  // of the documents under way, the outermost first
  std::string text_;
};

}  // namespace tidemark
