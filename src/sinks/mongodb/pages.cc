#include "sinks/mongodb/pages.h"

#include <vector>

namespace tidemark::mongodb_sink {
namespace {

// Best effort: a cursor that isn't killed ends by itself after ten idle minutes.
void kill_cursor(mongo::Client& client, const TableName& target, int64_t cursor) {
  bson::Builder ids;
  ids.append("0", cursor);
  bson::Builder kill;
  kill.append("killCursors", target.name).append_array("cursors", ids.view());
  (void)client.read(target.schema, kill.view(), {});
}

}  // namespace

Status for_each_page(mongo::Client& client, const TableName& target, const PageOptions& options,
                     const std::function<Status(std::span<const bson::View> page)>& visit,
                     std::stop_token stop) {
  bson::Builder find;
  find.append("find", target.name).append("batchSize", options.documents_max);
  if (options.projection) find.append("projection", options.projection);
  TIDEMARK_ASSIGN(bson::Document reply, client.read(target.schema, find.view(), stop));
  std::vector<bson::View> page;
  for (const char* batch = "cursor.firstBatch";; batch = "cursor.nextBatch") {
    const auto documents = reply.view().find_path(batch);
    const auto id = reply.view().find_path("cursor.id");
    if (!documents || !documents->is_array() || !id)
      return fail(React::kRetry, "mongodb sink " + target.text() + ": a reply without a cursor");
    const int64_t cursor = id->integer().value_or(0);
    page.clear();
    for (const bson::Element item : documents->document())
      if (item.is_document()) page.push_back(item.document());
    if (Status visited = visit(page); !visited) {
      if (cursor != 0) kill_cursor(client, target, cursor);
      return visited;
    }
    if (cursor == 0) return {};
    bson::Builder next;
    next.append("getMore", cursor).append("collection", target.name);
    next.append("batchSize", options.documents_max);
    TIDEMARK_ASSIGN(reply, client.read(target.schema, next.view(), stop));
  }
}

}  // namespace tidemark::mongodb_sink
