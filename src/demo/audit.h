// The demo's judgement, after everything has come to rest: each event that was accepted with 202 against MongoDB, and each
// document of MongoDB against SQLite. It asks both ends itself and trusts nothing that the pipelines say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/position.h"
#include "demo/server.h"
#include "env/clock.h"
#include "guard/compare.h"

namespace tidemark::demo {

// The archive's SQLite file, read only. One thread.
class Destination {
 public:
  Destination(std::string path, Clock& clock) : path_(std::move(path)), clock_(clock) {}

  Result<int64_t> count() const;
  Result<std::optional<StoredPosition>> position() const;
  // Ids and digests of documents.
  Result<std::vector<guard::Row>> rows() const;

 private:
  const std::string path_;
  Clock& clock_;
};

struct Audit {
  guard::Comparison promised;  // from the accepted events to MongoDB
  uint64_t doubled = 0;        // documents of an event that has one already
  guard::Comparison archived;  // from MongoDB to SQLite

  bool equal() const { return promised.equal() && doubled == 0 && archived.equal(); }
};

// `promises` are event_row()s. Nothing may be written meanwhile.
Result<Audit> audit_demo(std::vector<guard::Row> promises, Server& server, const Destination& destination);
// As a table, with the first ids of what is wrong.
std::string audit_text(const Audit& audit);

}  // namespace tidemark::demo
