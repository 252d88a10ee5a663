#include "sandbox/server/aggregate_out.h"

#include "base/digest.h"
#include "sandbox/server/copies.h"
#include "sandbox/server/update_one.h"

namespace tidemark::sandbox {
namespace {

constexpr size_t kInsertsAtOnce = 1'000;

struct Place {
  std::string db;
  std::string coll;
};

std::string uuid_text(const Uuid& uuid) {
  std::string text = to_hex(uuid);
  for (const size_t at : {size_t{20}, size_t{16}, size_t{12}, size_t{8}}) text.insert(at, "-");
  return text;
}

Reply<Place> parse_place(const Invocation& inv, const bson::Element& into, std::string_view stage) {
  Place place{inv.db, {}};
  if (into.is_string()) {
    place.coll = into.string();
  } else if (into.is_document() && (stage == "$merge" || inv.version() >= ServerVersion{4, 4})) {
    SANDBOX_TRY(check_fields(into.document(), "db coll", stage));
    const auto db = into.document().find("db");
    const auto coll = into.document().find("coll");
    if (db && db->is_string()) place.db = db->string();
    if (coll && coll->is_string()) place.coll = coll->string();
  } else {
    return command_error(stage == "$out" ? 16990 : 51178,
                         std::string(stage) + " only supports a string or object argument");
  }
  SANDBOX_TRY(check_namespace(place.db, place.coll));
  return place;
}

bson::Document with_temp(const Collection* target) {
  bson::Builder options;
  if (target != nullptr && target->options()) options.concat(target->options());
  options.append("temp", true);
  return options.finish();
}

Reply<void> create_temporary(WriteTarget& target, const Place& place, const std::string& temporary) {
  const Collection* old = target.catalog.find(place.db, place.coll);
  if (old != nullptr && old->capped())
    return command_error(17152, "namespace '" + old->ns() + "' is capped so it can't be used for $out");
  SANDBOX_ASSIGN(Collection * created, target.create_collection(place.db, temporary, with_temp(old)));
  if (old == nullptr || old->index_count() == 1) return {};
  bson::Builder command;
  {
    ArrayWriter indexes(command.raw(), "indexes");
    for (const auto& spec : old->list_indexes()) {
      SANDBOX_ASSIGN(const bool made, created->create_index(spec));
      if (made) indexes.append(spec.view());
    }
  }
  target.add_ddl(OpKind::kCreateIndexes, *created).command = command.finish();
  return {};
}

Reply<void> insert_some(Invocation& inv, const Place& place, const std::string& temporary,
                        std::span<const bson::Document> documents) {
  return with_write_target(inv, temporary, [&](WriteTarget& target) -> Reply<void> {
    Collection* collection = target.catalog.find(place.db, temporary);
    if (collection == nullptr) return command_error(kNamespaceNotFound, "$out's collection was dropped");
    for (const auto& document : documents) {
      SANDBOX_ASSIGN(bson::Document ready,
                     prepare_insert(document, [&inv] { return inv.cluster.identities.oid(); }));
      SANDBOX_TRY(collection->insert(ready));
      OplogEntry& entry = target.add(OpKind::kInsert, *collection, -1);
      entry.key = collection->document_key(ready);
      entry.after = std::move(ready);
    }
    return {};
  });
}

Reply<void> fill(Invocation& inv, const Place& place, const std::string& temporary,
                 std::span<const bson::Document> documents) {
  for (; !documents.empty(); documents = documents.subspan(std::min(kInsertsAtOnce, documents.size())))
    SANDBOX_TRY(
        insert_some(inv, place, temporary, documents.first(std::min(kInsertsAtOnce, documents.size()))));
  return with_write_target(inv, temporary, [&](WriteTarget& target) {
    return rename_within(target, place.db, temporary, place.coll, true);
  });
}

Reply<void> run_out(Invocation& inv, const bson::Element& stage, std::span<const bson::Document> documents) {
  SANDBOX_ASSIGN(const Place place, parse_place(inv, stage, "$out"));
  const std::string temporary =
      "tmp.agg_out." + (inv.version() < ServerVersion{4, 4} ? std::to_string(++inv.cluster.outs)
                                                            : uuid_text(inv.cluster.identities.uuid()));
  SANDBOX_TRY(with_write_target(
      inv, temporary, [&](WriteTarget& target) { return create_temporary(target, place, temporary); }));
  auto done = fill(inv, place, temporary, documents);
  if (done) return done;
  // What failed leaves nothing behind; why it failed is what the client is told.
  (void)with_write_target(inv, temporary, [&](WriteTarget& target) -> Reply<void> {
    const Collection* rest = target.catalog.find(place.db, temporary);
    if (rest == nullptr) return {};
    target.add_ddl(OpKind::kDrop, *rest);
    return target.catalog.drop(place.db, temporary);
  });
  return done;
}

struct Merge {
  Place into;
  std::string matched = "merge";
  std::string not_matched = "insert";
};

Reply<std::string> one_of(bson::View spec, std::string_view key, std::string_view absent,
                          std::string_view known) {
  const auto field = spec.find(key);
  if (!field) return std::string(absent);
  if (!field->is_string())
    return command_error(kNotImplemented,
                         "$merge: a pipeline in '" + std::string(key) + "' isn't implemented by the sandbox");
  if (!token_in(known, field->string()))
    return command_error(kBadValue, "Enumeration value '" + std::string(field->string()) + "' for field '" +
                                        std::string(key) + "' is not a valid value.");
  return std::string(field->string());
}

Reply<Merge> parse_merge(const Invocation& inv, const bson::Element& stage) {
  Merge out;
  if (!stage.is_document()) {
    SANDBOX_ASSIGN(out.into, parse_place(inv, stage, "$merge"));
    return out;
  }
  const bson::View spec = stage.document();
  SANDBOX_TRY(check_fields(spec, "into on whenMatched whenNotMatched", "$merge"));
  const auto into = spec.find("into");
  if (!into) return command_error(40414, "BSON field '$merge.into' is missing but a required field");
  SANDBOX_ASSIGN(out.into, parse_place(inv, *into, "$merge"));
  if (const auto on = spec.find("on"); on && !(on->is_string() && on->string() == "_id"))
    return command_error(kNotImplemented, "$merge: the sandbox merges on _id alone");
  SANDBOX_ASSIGN(out.matched, one_of(spec, "whenMatched", "merge", "replace keepExisting merge fail"));
  SANDBOX_ASSIGN(out.not_matched, one_of(spec, "whenNotMatched", "insert", "insert discard fail"));
  if (out.into.db != inv.db)
    return command_error(kNotImplemented, "$merge: the sandbox merges into the same database alone");
  return out;
}

// One document as the statement of an update.
bson::Document merge_statement(const Merge& merge, const bson::Document& document) {
  bson::Builder statement;
  statement.append("q", id_of(document).view());
  if (merge.matched == "replace") {
    statement.append("u", document.view());
  } else {
    bson::Builder modifiers;
    modifiers.append(merge.matched == "merge" ? "$set" : "$setOnInsert", document.view());
    statement.append("u", modifiers.view());
  }
  statement.append("upsert", merge.not_matched == "insert");
  return statement.finish();
}

Reply<void> merge_one(Invocation& inv, WriteTarget& target, const Merge& merge,
                      const bson::Document& document) {
  const Collection* collection = target.catalog.find(inv.db, merge.into.coll);
  const auto id = document.view().find("_id");
  const auto old = collection != nullptr && id ? collection->find_id(*id) : std::nullopt;
  if (old && merge.matched == "fail")
    return command_error(kDuplicateKey, "$merge failed due to a DuplicateKey error");
  if (!old && merge.not_matched == "fail")
    return command_error(13113,
                         "$merge could not find a matching document in the target collection for at least "
                         "one document in the source collection");
  SANDBOX_TRY(run_update(inv, target, merge.into.coll, merge_statement(merge, document), -1));
  return {};
}

Reply<void> run_merge(Invocation& inv, const bson::Element& stage,
                      std::span<const bson::Document> documents) {
  SANDBOX_ASSIGN(const Merge merge, parse_merge(inv, stage));
  return with_write_target(inv, merge.into.coll, [&](WriteTarget& target) -> Reply<void> {
    for (const auto& document : documents) {
      SANDBOX_ASSIGN(const bson::Document ready,
                     prepare_insert(document, [&inv] { return inv.cluster.identities.oid(); }));
      SANDBOX_TRY(merge_one(inv, target, merge, ready));
    }
    return {};
  });
}

}  // namespace

Reply<SplitPipeline> split_writing_stage(bson::View pipeline) {
  SplitPipeline split;
  bson::Builder reading;
  for (const auto& item : pipeline) {
    if (split.writing)
      return command_error(
          40601, std::string(split.writing->key()) + " can only be the final stage in the pipeline");
    if (item.is_document() && !item.document().empty()) {
      const auto stage = *item.document().begin();
      if (stage.key() == "$out" || stage.key() == "$merge") {
        split.writing = stage;
        continue;
      }
    }
    reading.append(item.key(), item);
  }
  split.reading = reading.finish();
  return split;
}

Reply<void> run_writing_stage(Invocation& inv, const bson::Element& stage,
                              const std::vector<bson::Document>& documents) {
  if (inv.in_transaction)
    return command_error(263, std::string(stage.key()) + " cannot be used in a transaction");
  return stage.key() == "$out" ? run_out(inv, stage, documents) : run_merge(inv, stage, documents);
}

}  // namespace tidemark::sandbox
