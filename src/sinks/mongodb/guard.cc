#include "sinks/mongodb/guard.h"

#include "core/row_identity.h"
#include "sinks/mongodb/statements.h"

namespace tidemark::mongodb_sink {
namespace {

bson::Document literal(bson::View value) {
  bson::Builder builder;
  builder.append("$literal", value);
  return builder.finish();
}

}  // namespace

void append_id(const bson::Element& id, bson::Builder& query) {
  bson::Builder equal;
  equal.append("$eq", id);
  query.append("_id", equal.view());
}

void Guard::append_older(std::string_view token, bson::Builder& query) const {
  if (field_.empty()) return;
  bson::Builder newer;
  newer.append("$gte", token);
  bson::Builder older;
  older.append("$not", newer.view());
  query.append(field_, older.view());
}

bool Guard::is_older(bson::View document, std::string_view token) const {
  const auto guard = field_.empty() ? std::nullopt : document.find(field_);
  return !guard || !guard->is_string() || guard->string() < token;
}

// A document that moved to another shard comes as an insert there and a delete here, in any order: the delete is meant for
// the document that still has the shard key it names.
void Guard::append_removal(const RowChange& change, bson::Builder& out) const {
  bson::Builder query;
  append_id(*change.event->key.find("_id"), query);
  append_older(change.event->id, query);
  if (change.if_key) append_shard_key_condition(change.if_key, query);
  out.append("q", query.view()).append("limit", int32_t{1});
}

// {$or: [{GUARD: / <shard key>$/}, {GUARD: {$not: / /}, "a.b": {$eq: value}}]}: the guard carries the shard key where the
// document doesn't show it.
void Guard::append_shard_key_condition(bson::View key, bson::Builder& query) const {
  bson::Builder by_document;
  const auto add = [&by_document](const auto& self, const std::string& path,
                                  const bson::Element& value) -> void {
    if (value.is_document() && !value.document().empty()) {
      for (const bson::Element field : value.document())
        self(self, path + "." + std::string(field.key()), field);
      return;
    }
    bson::Builder equal;
    by_document.append(path, equal.append("$eq", value).view());
  };
  for (const bson::Element field : key)
    if (field.key() != "_id") add(add, std::string(field.key()), field);
  if (field_.empty()) {
    query.concat(by_document.view());
    return;
  }
  std::string text, pattern = " ";
  tidemark::append_shard_key(key, text);
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) pattern.push_back('\\');
    pattern.push_back(c);
  }
  pattern.push_back('$');
  bson::Builder carries, carries_none, by_guard, either;
  bson_append_regex(carries.raw(), field_.c_str(), -1, pattern.c_str(), "");
  bson_append_regex(carries_none.raw(), "$not", -1, " ", "");
  by_guard.append(field_, carries_none.view()).concat(by_document.view());
  either.append("0", carries.view()).append("1", by_guard.view());
  query.append_array("$or", either.view());
}

void Guard::build_document(const Put& put, bson::Builder& whole) const {
  const std::string& guard = field_;
  if (!put.document.find("_id")) whole.append("_id", put.id);
  if (guard.empty() || !put.document.find(guard)) {
    whole.concat(put.document);  // its bytes as they are
  } else {
    for (const bson::Element field : put.document)
      if (field.key() != guard) whole.append(field.key(), field);
  }
  if (!guard.empty()) whole.append(guard, put.token);
}

void Guard::append_put(const Put& put, const std::vector<std::string>& shard_key, bson::Builder& out) const {
  bson::Builder whole;
  build_document(put, whole);
  bson::Builder stage;
  if (field_.empty()) {
    stage.append("$replaceWith", literal(whole.view()).view());
  } else {
    bson::Builder operands;
    operands.append("0", "$" + field_).append("1", put.token);
    bson::Builder newer;
    newer.append_array("$gte", operands.view());
    bson::Builder branches;
    branches.append("0", newer.view()).append("1", "$$ROOT").append("2", literal(whole.view()).view());
    bson::Builder choice;
    choice.append_array("$cond", branches.view());
    stage.append("$replaceWith", choice.view());
  }
  bson::Builder pipeline;
  pipeline.append("0", stage.view());
  bson::Builder query;
  append_id(put.id, query);
  append_shard_key(shard_key, put.document, query);
  out.append("q", query.view()).append_array("u", pipeline.view()).append("upsert", true);
}

}  // namespace tidemark::mongodb_sink
