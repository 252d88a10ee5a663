// What a rename brings: documents that the stream never showed, under a name that is watched. They were written under
// another name, by a copy that change streams hide, or before the position. So behind each such rename the collection is
// read again, and its documents are handed out as events made up here: an insert for each, then `rereadEnd`.
//
// The position stays before the rename until the last of them is durable, so that a crash repeats the rename and the
// reading. Their ids sort behind the rename's and before every later event's: what the stream says later of a document
// goes over what was read, whenever it was read. docs/adr/0038-renamed-collections-are-read-again.md
//
// Owned by the source's reading thread.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "bson/matcher.h"
#include "core/audit.h"
#include "core/source.h"
#include "core/watched_names.h"

namespace tidemark::mongodb {

class Reread {
 public:
  // A page of the collection's documents, as they are at `after` or later, in order of _id; as AuditSource::scan.
  using Scan = std::function<Result<AuditPage>(
      const CollectionName& collection, bson::Timestamp after, const std::string& last_id, size_t limit,
      const std::function<Status(bson::View document)>& visit, std::stop_token stop)>;

  struct Options {
    WatchedNames names;
    std::vector<bson::Matcher> filter;  // the operator's, which the stream's renames are not held back by
    std::vector<bson::Matcher> filter_names;  // what of it is about the name alone
    bool rereads = false;                     // the sink keeps a row per document
    bool hides_temporary = false;  // the sink keeps collections apart: temporary ones must not reach it
  };

  Reread(Options options, std::string pipeline, Scan scan)
      : options_(std::move(options)), pipeline_(std::move(pipeline)), scan_(std::move(scan)) {}

  // Takes a batch of the stream, which begins behind `before`: leaves out the events of excluded and temporary
  // collections, and cuts it at the renames to read behind. REQUIRES !pending().
  void take(SourceBatch batch, Position before);

  // Something is left to hand out before the stream is read on.
  bool pending() const { return !parts_.empty(); }

  // The next batch. `limit` documents at most come from one page. After an error the stream is to be opened again, at the
  // last position that was handed out. REQUIRES pending().
  Result<SourceBatch> next(size_t limit, std::stop_token stop);

  void forget();

 private:
  struct Part {
    SourceBatch batch;
    // Read before the part behind it is handed out. `batch` holds the rename alone, and nothing once that is handed out.
    std::optional<CollectionName> reread;
    std::string rename_id;
    bson::Timestamp rename_time;
    int64_t wall_time_ms = 0;
    std::string last_id;
    size_t documents = 0;
    bool handed_out = false;  // the rename, or held back by the filter
    Position behind;
  };

  // Of a collection that is excluded, or temporary where those are hidden, and not about to become one of ours.
  bool leaves_out(const Event& event) const;
  bool passes(const Event& event) const;
  bool passes_filter(bson::View event) const;
  bool brings_documents(const Event& event) const;
  void add_rename(const Event& event, const SourceBatch& whole, const Position& before,
                  const Position& behind);
  Result<SourceBatch> read_page(Part& part, size_t limit, std::stop_token stop);

  const Options options_;
  const std::string pipeline_;
  const Scan scan_;
  std::deque<Part> parts_;
  uint64_t left_out_ = 0;  // told with the next batch
};

}  // namespace tidemark::mongodb
