#include "sinks/mongodb/targets.h"

#include <algorithm>
#include <array>

#include "base/log.h"

namespace tidemark::mongodb_sink {
namespace {

constexpr int kNamespaceExists = 48;
constexpr int kUnauthorized = 13;

tl::unexpected<Error> unsuitable(const TableName& target, const std::string& what) {
  return fail(React::kReject, "mongodb sink: " + target.text() + " is " + what,
              "choose another collection: documents must stay until their source removes them, and each is "
              "found by its exact _id");
}

}  // namespace

Status check_kind(bson::View entry, const TableName& target) {
  const auto type = entry.find("type");
  if (type && type->is_string() && type->string() == "view") return unsuitable(target, "a view");
  if (type && type->is_string() && type->string() == "timeseries")
    return unsuitable(target, "a time series, whose documents can't be replaced one by one");
  const auto capped = entry.find_path("options.capped");
  if (capped && capped->truthy())
    return unsuitable(target, "capped: the server removes its oldest documents by itself");
  const auto locale = entry.find_path("options.collation.locale");
  if (locale && locale->is_string() && locale->string() != "simple")
    return unsuitable(target, "of a collation of its own, to which \"a\" and \"A\" may be one _id");
  return {};
}

bool is_about_the_name(int code) {
  // InvalidNamespace; DatabaseDifferCase: one stands there whose name differs in the case of its letters alone.
  constexpr std::array kCodes = {73, 13297};
  return std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
}

std::vector<std::string> shard_key_in(bson::View entry) {
  std::vector<std::string> paths;
  if (const auto dropped = entry.find("dropped"); dropped && dropped->truthy()) return paths;
  // 7.0 and later know every collection here, those that aren't sharded too.
  if (const auto whole = entry.find("unsplittable"); whole && whole->truthy()) return paths;
  const auto key = entry.find("key");
  if (!key || !key->is_document()) return paths;
  for (const bson::Element field : key->document())
    if (field.key() != "_id") paths.emplace_back(field.key());
  return paths;
}

tl::unexpected<Error> Targets::replaced(const TableName& target, const std::string& what) const {
  return fail(React::kConfig,
              "mongodb sink: the collection " + target.text() + " was " + what +
                  " while the pipeline ran: what had been written to it is gone",
              std::string("put it back from a backup; or ") + remedy_);
}

bool Targets::is_due(const TableName& target) const {
  const auto known = known_.find(target.text());
  return known == known_.end() || clock_.now() - known->second.looked_at >= kLookEvery;
}

Status Targets::ensure(mongo::Client& client, const TableName& target, std::stop_token stop) {
  if (!is_due(target)) return {};
  if (!known_.contains(target.text())) {
    bson::Builder create;
    create.append("create", target.name);
    auto created = client.write(target.schema, create.view(), stop);
    if (!created && is_about_the_name(created.error().code)) created.error().react = React::kReject;
    if (!created && created.error().code != kNamespaceExists) return fail(std::move(created).error());
  }
  // Made and dropped in a moment: the write makes it again.
  TIDEMARK_TRY(look(client, target, std::move(stop)));
  return {};
}

Result<bool> Targets::look(mongo::Client& client, const TableName& target, std::stop_token stop) {
  bson::Builder filter;
  filter.append("name", target.name);
  bson::Builder list;
  list.append("listCollections", int32_t{1}).append("filter", filter.view());
  TIDEMARK_ASSIGN(const auto found, client.read_all(target.schema, list.view(), 1, stop));
  const auto before = known_.find(target.text());
  if (found.empty()) {
    if (before == known_.end()) return false;
    known_.erase(before);
    return replaced(target, "dropped");
  }
  const bson::View entry = found.front().view();
  TIDEMARK_TRY(check_kind(entry, target));
  Known now;
  now.looked_at = clock_.now();
  if (const auto uuid = entry.find_path("info.uuid")) {
    bson::Builder id;
    id.append("uuid", *uuid);
    now.uuid = id.finish();
  }
  if (before != known_.end()) {
    const bool same = !now.uuid || !before->second.uuid || now.uuid.view() == before->second.uuid.view();
    if (!same) {
      known_.erase(before);
      return replaced(target, "replaced by another of its name");
    }
  }
  now.shard_key_hidden = before != known_.end() && before->second.shard_key_hidden;
  if (!now.shard_key_hidden) TIDEMARK_TRY(read_shard_key(client, target, now, std::move(stop)));
  known_[target.text()] = std::move(now);
  return true;
}

Status Targets::read_shard_key(mongo::Client& client, const TableName& target, Known& known,
                               std::stop_token stop) {
  if (!client.known().sharded) return {};
  bson::Builder filter;
  filter.append("_id", target.text());
  bson::Builder find;
  find.append("find", "collections").append("filter", filter.view()).append("limit", int32_t{1});
  auto entries = client.read_all("config", find.view(), 1, std::move(stop));
  if (entries) {
    if (!entries->empty()) known.shard_key = shard_key_in(entries->front());
    return {};
  }
  if (entries.error().code != kUnauthorized) return fail(std::move(entries).error());
  known.shard_key_hidden = true;
  log::warn(
      "mongodb sink: the user may not read config.collections, so that the shard key of {} isn't known; "
      "grant it "
      "`read` on `config` if the collection is sharded by another key than _id",
      target.text());
  return {};
}

const std::vector<std::string>& Targets::shard_key(const TableName& target) const {
  static const std::vector<std::string> kNone;
  const auto known = known_.find(target.text());
  return known == known_.end() ? kNone : known->second.shard_key;
}

}  // namespace tidemark::mongodb_sink
