// A destination of each kind as a black-box test sees it: the TOML that names it, and what stands there, read without
// any code of the program. One thread; the folder and the server it is made in outlive it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/temp_folder.h"

namespace tidemark::e2e {

enum class SinkKind { kSqlite, kPostgres, kFile };
enum class Mode { kCurrent, kLog };

std::string to_string(SinkKind kind);
std::string to_string(Mode mode);

class Destination {
 public:
  // Why this kind can't be tested here; empty when it can.
  static std::optional<std::string> unavailable(SinkKind kind);
  static std::unique_ptr<Destination> make(SinkKind kind, Mode mode, const testing::TempFolder& folder);
  virtual ~Destination() = default;

  // [pipeline.sink], and [pipeline.position] where the sink has none of its own.
  virtual std::string toml() const = 0;
  // Any text that changes when the stored position moves; empty while there is none.
  virtual std::string position() = 0;
  // Canonical `_id` to document, in mode current (a file holds events in either mode: they are applied).
  virtual std::map<std::string, std::string> documents() = 0;
  // The token of every event, in mode log.
  virtual std::vector<std::string> tokens() = 0;
  // Whether tokens() come in the order in which they were written: a table in PostgreSQL has none of its own.
  virtual bool keeps_order() const { return true; }
  // Whether a crash may leave an event there twice.
  virtual bool at_least_once() const { return false; }
  // `document`, canonical Extended JSON of the source, in the form documents() has it.
  virtual std::string normal(const std::string& document) const { return document; }
};

// The rows of a query, columns as text. Throws with SQLite's words.
std::vector<std::vector<std::string>> sqlite_query(const std::string& path, const std::string& sql);

}  // namespace tidemark::e2e
