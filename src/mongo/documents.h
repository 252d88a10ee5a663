// Whole collections of a deployment as an audit reads them: in order of _id, by their ids, and counted by time. What the
// auditing ends of MongoDB (sources/mongodb/audit.h, sinks/mongodb/audit.h) have in common.
//
// Every read is of the primary and of what a majority has. A reader belongs to one thread at a time. A stop ends it between
// two batches; one command lasts as long as the client's socket timeout at most.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "core/audit.h"
#include "mongo/client.h"

namespace tidemark::mongo {

// The canonical Extended JSON of the document's _id into `out`, which keeps its memory; false when it has none.
bool render_id(bson::View document, std::string& out);

class DocumentReader {
 public:
  using Visit = std::function<Status(bson::View document)>;
  using Counts = std::map<std::optional<int64_t>, uint64_t>;

  explicit DocumentReader(std::unique_ptr<Client> client) : client_(std::move(client)) {}

  // Asks the server something, so that what is wrong with the uri is told before the first document.
  Status open(std::stop_token stop);

  // Those of `database`, or of every database when it is empty; `collection`, when not empty, chooses one. Sorted; without
  // views, system collections, and the databases admin, local and config.
  Result<std::vector<CollectionName>> collections(const std::string& database, const std::string& collection,
                                                  std::stop_token stop);
  // Whether it was capped when collections() last listed it.
  bool capped(const CollectionName& collection) const { return capped_.contains(collection); }

  // As AuditSource::scan. One cursor serves all pages of a collection; when it is gone, or when the scan begins elsewhere,
  // another is opened after `last_id`. A page is a part of one reply of the server: nothing was visited when it fails.
  Result<AuditPage> scan(const CollectionName& collection, const std::string& last_id, size_t limit,
                         const Visit& visit, std::stop_token stop);

  // Later scans see everything up to `time`, whoever is the primary then.
  void scan_after(bson::Timestamp time) { scan_after_ = time; }

  // As AuditSource::lookup. Each document is read as it was at a time from T0 to the one returned, where T0 is everything
  // that a majority had when the call began. Only documents whose _id has the bytes of one of `ids`: the server's equality
  // also finds 1.0 for 1.
  Result<bson::Timestamp> lookup(const CollectionName& collection, std::span<const AuditId> ids,
                                 const Visit& visit, std::stop_token stop);

  // As AuditSource::counts. By the server where it needs but a few seconds for it, else from the field alone, read from
  // every document: a stop must not wait for a long command.
  Result<Counts> counts(const CollectionName& collection, const AuditBuckets& buckets, std::stop_token stop);

  // Gives the cursor back, best effort; one that isn't given back is closed by the server after ten idle minutes. The reader may
  // be used again.
  void close(std::stop_token stop);

 private:
  // The cursor of the scan under way, and what is left of its last reply.
  struct Scan {
    CollectionName collection;
    std::string last_id;  // of the last document visited
    bool repeats;         // the one to go on after comes once more
    int64_t cursor;       // 0: the server has closed it
    bson::Document reply;
    bson::View::Iterator next;
    bson::View::Iterator end;
    bool has_next() const { return next != end; }
  };

  Status open_scan(const CollectionName& collection, const std::string& last_id, size_t limit,
                   std::stop_token stop);
  Status more(size_t limit, std::stop_token stop);
  Status take(bson::Document reply);
  Result<bson::Timestamp> now(std::stop_token stop);
  Status lookup_some(const CollectionName& collection, std::span<const AuditId> ids, bson::Timestamp after,
                     bson::Timestamp& read_at, const Visit& visit, std::stop_token stop);
  Result<std::optional<Counts>> count_by_server(const CollectionName& collection, const AuditBuckets& buckets,
                                                std::stop_token stop);
  Result<Counts> count_here(const CollectionName& collection, const AuditBuckets& buckets,
                            std::stop_token stop);
  Status for_each(const std::string& database, bson::View command, const Visit& visit,
                  const std::function<void(bson::View reply)>& each_reply, std::stop_token stop);

  const std::unique_ptr<Client> client_;
  std::optional<Scan> scan_;
  std::set<CollectionName> capped_;
  std::optional<bson::Timestamp> scan_after_;
  std::set<CollectionName> too_large_;  // for the server to count within its time
  std::string id_;
};

}  // namespace tidemark::mongo
