#include "sources/mongodb/inquiry.h"

#include <algorithm>

namespace tidemark::mongodb {
namespace {

constexpr int kMajorityNotEnabled = 148;

// The entry of listCollections; "no document" where there is none or it may not be asked for. `answered` tells which.
bson::Document listed(Client& client, const Member& member, const StreamOptions& watched, bool& answered,
                      std::stop_token stop) {
  bson::Builder filter, command;
  filter.append("name", watched.collection);
  command.append("listCollections", int32_t{1}).append("filter", filter.view());
  const auto reply = client.run(watched.database, command.view(), member, std::move(stop));
  answered = reply.has_value();
  if (!reply) return {};
  const auto entry = (*reply)->view().find_path("cursor.firstBatch.0");
  return entry && entry->is_document() ? bson::Document(entry->document()) : bson::Document();
}

std::string string_at(bson::View document, std::string_view path) {
  const auto field = document.find_path(path);
  return field && field->is_string() ? std::string(field->string()) : std::string();
}

}  // namespace

std::string kind_of_collection(Client& client, const Member& member, const StreamOptions& watched,
                               std::stop_token stop) {
  bool answered = false;
  const bson::Document entry = listed(client, member, watched, answered, std::move(stop));
  const auto type = entry ? entry.view().find("type") : std::nullopt;
  return type && type->is_string() ? std::string(type->string()) : std::string();
}

std::optional<std::string> note_on_collection(Client& client, const Member& member,
                                              const StreamOptions& watched, std::stop_token stop) {
  if (watched.collection.empty()) return std::nullopt;
  const std::string name = watched.database + "." + watched.collection;
  bool answered = false;
  const bson::Document entry = listed(client, member, watched, answered, std::move(stop));
  if (answered && !entry) return name + " isn't there yet: its changes come once it is";
  const auto capped = entry ? entry.view().find_path("options.capped") : std::nullopt;
  if (capped && capped->truthy())
    return name +
           " is capped: the documents that it pushes out make no change events, so that the destination "
           "keeps them";
  return std::nullopt;
}

std::optional<std::string> note_on_majority_reads(Client& client, const Member& member,
                                                  const StreamOptions& watched, std::stop_token stop) {
  bson::Builder concern, command;
  concern.append("level", "majority");
  command.append("find", watched.collection.empty() ? std::string("tidemark") : watched.collection)
      .append("limit", int32_t{1})
      .append("singleBatch", true)
      .append("readConcern", concern.view());
  const auto reply = client.run(watched.database.empty() ? "test" : watched.database, command.view(), member,
                                std::move(stop));
  if (reply || reply.error().code != kMajorityNotEnabled) return std::nullopt;
  return "the deployment runs with enableMajorityReadConcern: false: audits of it, and a sink or positions "
         "in it, can't work";
}

std::optional<int64_t> scanning_for(Client& client, const StreamOptions& watched, const std::string& app_name,
                                    std::chrono::milliseconds max_await, std::stop_token stop) {
  auto member = client.select(Client::Prefer::kUri, stop);
  if (!member) return std::nullopt;
  bson::Builder command;
  command.append("currentOp", int32_t{1}).append("$ownOps", true).append("op", "getmore");
  const auto reply = client.run("admin", command.view(), *member, std::move(stop));
  const auto running = reply ? (*reply)->view().find("inprog") : std::nullopt;
  if (!running || !running->is_array()) return std::nullopt;
  const std::string ns =
      command_database(watched) + "." + (watched.collection.empty() ? "$cmd.aggregate" : watched.collection);
  std::optional<int64_t> longest;
  for (const bson::Element item : running->document()) {
    if (!item.is_document()) continue;
    const bson::View operation = item.document();
    const auto stream = operation.find_path("cursor.originatingCommand.pipeline.0.$changeStream");
    const auto seconds = operation.find("secs_running");
    if (!stream || !seconds || string_at(operation, "appName") != app_name ||
        string_at(operation, "ns") != ns)
      continue;
    const int64_t for_s = seconds->integer().value_or(0);
    if (std::chrono::seconds(for_s) > max_await + std::chrono::seconds(1))
      longest = std::max(longest.value_or(0), for_s);
  }
  return longest;
}

}  // namespace tidemark::mongodb
