// Both ends of a relay under test as the chaos sees them: the tables that name a destination, and what stands there, read
// without the program's own sinks. One thread. A reader that can't reach its server throws with the server's words.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bson/document.h"
#include "chaos/history.h"
#include "chaos/schedule.h"
#include "support/mongo.h"

namespace tidemark::chaos {

// Where the destinations of one trial are.
struct Places {
  std::string folder;        // files and SQLite databases
  std::string postgres_uri;  // with a schema of its own; empty: no PostgreSQL
  std::string mongodb_uri;   // the deployment itself
  std::string database;      // the source's; destinations add to its name
  bool keeps_logs = false;   // relays write theirs to the folder, all lives in one
};

// Normal `_id` to the bytes of the whole document.
using Documents = std::map<std::string, std::string>;
// The same with the fields of each document and sub-document in the order of their names, for what keeps no order.
Documents sorted_by_name(const Documents& documents);
// Takes out those with a field name that stands twice.
Documents take_doubled(Documents& documents);

class End {
 public:
  // `index` tells relays of the same kind apart.
  static std::unique_ptr<End> make(const RelayKind& kind, const Places& places, int index);
  virtual ~End() = default;

  // [pipeline.sink], and [pipeline.position] where the sink has none of its own.
  virtual std::string toml() const = 0;
  // `_data` of the stored position's token; empty while there is none.
  virtual std::string position() = 0;
  // In a kind that isn't `log`.
  virtual Documents documents() { return {}; }
  virtual bool keeps_order_of_fields() const { return true; }
  // In a kind that is.
  virtual std::vector<LoggedEvent> events() { return {}; }
  virtual bool keeps_order() const { return true; }
  // A document with a name that stands twice has no place here: its event is a dead letter.
  virtual bool rejects_doubled() const { return false; }
  virtual std::vector<LoggedEvent> letters() { return {}; }
  // How many rows have a newer token than the stored position, as one look finds it.
  virtual int64_t rows_beyond_position() { return 0; }
  // What a fault can lock: the database of SQLite, a table of PostgreSQL, of the rows or of the positions.
  virtual std::string lockable(bool) const { return ""; }
};

// The documents of the source but for the last one.
Result<Documents> source_documents(testing::Mongo& client, const std::string& database);

// `v` of each document.
std::map<std::string, int64_t> versions(const Documents& documents);

// `_id` of a document as the ends name it.
std::string normal_id(bson::View document);

// The event of a line of JSON, in the form in which the server sends it.
LoggedEvent event_of_json(const std::string& line);
// The lines of a file but for a torn last one.
std::vector<std::string> whole_lines(const std::string& path);

// The cluster time in a token's hex string.
bson::Timestamp time_of_token(const std::string& token);

}  // namespace tidemark::chaos
