// An update as the server's update command takes it: modifiers, a replacement, or a pipeline. It computes the
// new document, and says what changed in the words of a change event.
//
// Immutable once parsed; any thread may use one.
#pragma once

#include <memory>

#include "bson/matcher.h"
#include "sandbox/store/pipeline_context.h"

namespace tidemark::sandbox {

struct UpdateResult {
  bson::Document after;
  // {updatedFields, removedFields, truncatedArrays} for modifiers and most pipelines; absent for a
  // replacement.
  bson::Document description;
  bool changed = false;         // false: `after` is `before`, nothing is to be logged
  bool is_replacement = false;  // logged as a replacement: a change event of type "replace"
};

class UpdateProgram;

class Update {
 public:
  // `u` is a document or an array (a pipeline); `array_filters` the statement's arrayFilters, absent for
  // none. From version 5.0 on, descriptions follow the delta log format; below, the older one with full
  // paths, and pipelines replace.
  static Reply<Update> parse(const bson::Element& u, bson::View array_filters,
                             const PipelineContext& context = {});

  // `query` is the statement's filter; it finds the item that the positional `$` means.
  // `is_insert_of_upsert`: `before` is upsert_base(); $setOnInsert applies and _id may still be set.
  Reply<UpdateResult> apply(bson::View before, bool is_insert_of_upsert, const bson::Matcher* query) const;

  bool is_replacement() const;
  bool is_pipeline() const;
  // The document that an upsert starts from: the equality conditions of `query`; for a replacement only its
  // _id.
  Reply<bson::Document> upsert_base(bson::View query) const;

 private:
  std::shared_ptr<const UpdateProgram> program_;
};

}  // namespace tidemark::sandbox
