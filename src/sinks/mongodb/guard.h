// The statements of mode "current", each under the guard: the field in which a document of the destination carries the token of
// the event it was written by, so that a replay or an older write still on its way changes nothing. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"
#include "core/event.h"
#include "core/row_plan.h"

namespace tidemark::mongodb_sink {

// A document on its way into a collection.
struct Put {
  bson::Element id;
  bson::View document;
  std::string_view token;
  size_t event = 0;  // to blame
};

// {_id: {$eq: id}}
void append_id(const bson::Element& id, bson::Builder& query);

class Guard {
 public:
  // The guard's name; empty: documents are exact copies, and everything counts as older.
  explicit Guard(std::string field) : field_(std::move(field)) {}
  const std::string& field() const { return field_; }

  // {GUARD: {$not: {$gte: token}}}: older than the event, or without a guard.
  void append_older(std::string_view token, bson::Builder& query) const;
  // The same, of a document that was read.
  bool is_older(bson::View document, std::string_view token) const;
  void append_removal(const RowChange& change, bson::Builder& out) const;
  // The document as it will stand there.
  void build_document(const Put& put, bson::Builder& whole) const;
  // {q: {_id}, u: [{$replaceWith: {$cond: [{$gte: [GUARD, token]}, what is there, the document]}}], upsert: true}
  void append_put(const Put& put, const std::vector<std::string>& shard_key, bson::Builder& out) const;

 private:
  void append_shard_key_condition(bson::View key, bson::Builder& query) const;

  const std::string field_;
};

}  // namespace tidemark::mongodb_sink
