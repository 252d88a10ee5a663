#include "sinks/mongodb/owners.h"

#include "bson/json.h"

namespace tidemark::mongodb_sink {
namespace {

constexpr size_t kKnownMax = 10'000;

bson::Document named(const TableName& target) {
  bson::Builder id;
  id.append("_id", target.text());
  return id.finish();
}

}  // namespace

Result<std::string> Owners::of(mongo::Client& client, const TableName& target, std::stop_token stop) {
  const std::string name = target.text();
  if (const auto known = known_.find(name); known != known_.end()) return known->second;
  bson::Builder concern;
  concern.append("level", "majority");
  bson::Builder find;
  find.append("find", place_.name).append("filter", named(target)).append("limit", int32_t{1});
  find.append("singleBatch", true).append("readConcern", concern.view());
  TIDEMARK_ASSIGN(const bson::Document reply, client.read(place_.schema, find.view(), std::move(stop)));
  const auto found = reply.view().find_path("cursor.firstBatch.0.namespace");
  if (!found || !found->is_string()) return std::string();
  if (known_.size() >= kKnownMax) known_.clear();
  return known_[name] = std::string(found->string());
}

Result<std::string> Owners::claim(mongo::Client& client, const TableName& target, const Namespace& ns,
                                  std::stop_token stop) {
  TIDEMARK_ASSIGN(std::string owner, of(client, target, stop));
  if (!owner.empty()) return owner;
  bson::Builder entry;
  entry.append("_id", target.text()).append("namespace", RefusedNames::text_of(ns));
  entry.append("pipeline", pipeline_);
  bson::Builder documents;
  documents.append("0", entry.view());
  bson::Builder insert;
  insert.append("insert", place_.name).append_array("documents", documents.view());
  // A duplicate: another lane or pipeline was first.
  if (auto done = client.write(place_.schema, insert.view(), stop);
      !done && done.error().code != mongo::kDuplicateKey)
    return fail(std::move(done).error());
  TIDEMARK_ASSIGN(owner, of(client, target, std::move(stop)));
  if (owner.empty())
    return fail(React::kRetry, "mongodb sink: the owner of " + target.text() + " was removed just now");
  return owner;
}

Status Owners::release(mongo::Client& client, const TableName& target, std::stop_token stop) {
  known_.erase(target.text());
  bson::Builder statement;
  statement.append("q", named(target)).append("limit", int32_t{1});
  bson::Builder statements;
  statements.append("0", statement.view());
  bson::Builder remove;
  remove.append("delete", place_.name).append_array("deletes", statements.view());
  TIDEMARK_TRY(client.write(place_.schema, remove.view(), std::move(stop)));
  return {};
}

std::string Owners::removal_of(const TableName& target) const {
  std::string place, name;
  bson::append_json_string(place_.name, place);
  bson::append_json_string(target.text(), name);
  return "`db.getSiblingDB(\"" + place_.schema + "\").getCollection(" + place + ").deleteOne({_id: " + name +
         "})`";
}

}  // namespace tidemark::mongodb_sink
