// One statement of an update, and findAndModify: they share finding, changing, upserting and what is logged.
#pragma once

#include "sandbox/server/write_target.h"

namespace tidemark::sandbox {

struct UpdateOutcome {
  int64_t matched = 0;
  int64_t modified = 0;
  bson::Document upserted_key;  // {_id} of a document that an upsert inserted
};

// `statement` is an item of `updates`.
Reply<UpdateOutcome> run_update(Invocation& inv, WriteTarget& target, std::string_view collection,
                                bson::View statement, int32_t statement_id);
Reply<void> run_find_and_modify(Invocation& inv);

void remove_document(WriteTarget& target, Collection& collection, const bson::Document& document,
                     int32_t statement_id);
// The sandbox compares bytes: only the simple collation is taken.
Reply<void> refuse_collation(bson::View of);

}  // namespace tidemark::sandbox
