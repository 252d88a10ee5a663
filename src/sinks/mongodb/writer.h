// What becomes of a batch of events in the destination: the two modes of the sink `mongodb`. A writer belongs to one sink
// instance and its thread; it keeps what it has seen of the collections.
#pragma once

#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/row_plan.h"
#include "core/sink.h"
#include "mongo/client.h"
#include "sinks/mongodb/targets.h"

namespace tidemark::mongodb_sink {

struct WriterOptions {
  TablePattern target;  // database and collection
  std::vector<std::string> unique_key;
  std::string guard_field;
  OnDrop on_drop = OnDrop::kApply;
  Clock* clock = nullptr;           // outlives the writer
  std::vector<TableName> reserved;  // collections that are the program's own: positions, leases, letters
};

class Writer {
 public:
  explicit Writer(WriterOptions options);
  virtual ~Writer() = default;

  // Called with every open: what doesn't need an event to be known is created, or refused.
  virtual Status open(mongo::Client& client, std::stop_token stop);
  // Checks the events and takes them in; they must outlive the write. On an error `culprit` names one.
  virtual WriteResult plan(std::span<const Event> events) = 0;
  // Creates what the planned events need and isn't there, which a transaction can't; and sees that what was there still is.
  Status ensure(mongo::Client& client, std::stop_token stop);
  // Writes what was planned, inside of the client's transaction when there is one. Outside of one it may be repeated after
  // any failure, and tells which document is to blame.
  virtual WriteResult write(mongo::Client& client, std::stop_token stop) = 0;
  // False where the planned events need more than a transaction should hold (whole collections).
  virtual bool fits_transaction() const { return true; }

 protected:
  virtual std::span<const TableName> targets() const = 0;
  // False for a collection that the planned events only take documents from: it must not be made.
  virtual bool gets_documents(size_t) const { return true; }
  virtual Status ensure_one(mongo::Client& client, const TableName& target, std::stop_token stop);

  // What events lead to one of the program's own collections: a reject of each collection's first event, and nothing of it
  // afterwards. Before any other look at the events.
  WriteResult check_names(std::span<const Event> events);
  const RefusedNames& refused() const { return refused_; }

  const WriterOptions options_;
  Targets known_;

 private:
  RefusedNames refused_;
  TableName name_;
};

// Mode "insert": documents are only ever added; one that is there already is taken for the same.
std::unique_ptr<Writer> make_insert_writer(WriterOptions options);
// Mode "current": the destination holds each document as it is now.
std::unique_ptr<Writer> make_current_writer(WriterOptions options);

}  // namespace tidemark::mongodb_sink
