// What becomes of a batch of events in the destination: the two modes of the sink `mongodb`. A writer belongs to one sink
// instance and its thread; it keeps what it has seen of the collections.
#pragma once

#include <functional>
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
  TableName owners;                 // the collection of owners
  std::string pipeline;
};

class Writer {
 public:
  // `remedy`: see Targets.
  Writer(WriterOptions options, const char* remedy);
  virtual ~Writer() = default;

  // Called with every open: what doesn't need an event to be known is created, or refused.
  virtual Status open(mongo::Client& client, std::stop_token stop);
  // Checks the events and takes them in; they must outlive the write. On an error `culprit` names one.
  virtual WriteResult plan(std::span<const Event> events) = 0;
  // Creates what the planned events need and isn't there, which a transaction can't; and sees that what was there still is.
  virtual WriteResult ensure(mongo::Client& client, std::stop_token stop);
  // Writes what was planned, inside of the client's transaction when there is one. Outside of one it may be repeated after
  // any failure, and tells which document is to blame. Between the parts of what clears or moves a collection `next_part` is
  // called, whose error ends it: an owner of the position that was fenced learns it there, and the lease is renewed.
  using NextPart = std::function<Status()>;
  virtual WriteResult write(mongo::Client& client, const NextPart& next_part, std::stop_token stop) = 0;
  // False where the planned events need more than a transaction should hold (whole collections).
  virtual bool fits_transaction() const { return true; }

 protected:
  virtual std::span<const TableName> targets() const = 0;
  // The event by which documents first come into a target; null for a collection that the planned events only take
  // documents from: it must not be made.
  virtual const Event* first_put(size_t target) const = 0;
  virtual Status ensure_one(mongo::Client& client, const TableName& target, const Namespace& ns,
                            std::stop_token stop);
  // What is wrong with one collection must not end the pipeline of a whole deployment: it is one reject, and nothing more of
  // `ns` comes here. `culprit` is an index of the planned events.
  WriteResult failed_for(Error error, const Namespace& ns, size_t culprit);

  // What events lead to one of the program's own collections: a reject of each collection's first event, and nothing of it
  // afterwards. Before any other look at the events.
  WriteResult check_names(std::span<const Event> events);
  const RefusedNames& refused() const { return refused_; }

  const WriterOptions options_;
  Targets known_;
  std::span<const Event> events_;  // the planned ones

 private:
  RefusedNames refused_;
  TableName name_;
};

// Mode "insert": documents are only ever added; one that is there already is taken for the same.
std::unique_ptr<Writer> make_insert_writer(WriterOptions options);
// Mode "current": the destination holds each document as it is now.
std::unique_ptr<Writer> make_current_writer(WriterOptions options);

}  // namespace tidemark::mongodb_sink
