// Whatever happened, and however it was cut into batches: every token that a stream gives out resumes exactly
// there.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sandbox/change_stream/testing/log.h"

namespace tidemark::sandbox {
namespace {

void add_random(TestLog& log) {
  const std::string ns = *rc::gen::element<std::string>("shop.a", "shop.b", "other.c", "shop.system.x");
  const std::string id = "{\"_id\": " + std::to_string(*rc::gen::inRange(0, 1000)) + "}";
  switch (*rc::gen::inRange(0, 9)) {
    case 0:
    case 1:
    case 2:
      return log.insert(ns, id);
    case 3:
      return log.remove(ns, id);
    case 4:
      return log.noop();
    case 5:
      return log.command(OpKind::kDrop, ns);
    case 6:
      return log.rename(ns, "shop.b");
    case 7:
      return log.command(OpKind::kCreate, ns);
    default: {
      OplogEntry txn = log.make(OpKind::kTransaction, "admin.$cmd");
      txn.txn_number = 1;
      for (int i = *rc::gen::inRange(1, 5); i > 0; --i) {
        const std::string target = *rc::gen::element<std::string>("shop.a", "shop.b", "other.c");
        txn.ops.push_back(TestLog::with_document(log.make(OpKind::kInsert, target), json(id)));
      }
      return log.add(std::move(txn));
    }
  }
}

struct Reading {
  std::vector<bson::Document> events;
  // After each batch: how many events had come, and the token then.
  std::vector<std::pair<size_t, bson::Document>> marks;
};

Reading read_in_batches(ChangeStream& stream) {
  Reading reading;
  for (;;) {
    const auto pulled = pull(stream, {.events_max = *rc::gen::inRange<size_t>(1, 4)});
    RC_ASSERT(pulled.has_value());
    reading.events.insert(reading.events.end(), pulled->events.begin(), pulled->events.end());
    reading.marks.emplace_back(reading.events.size(), pulled->token);
    if (pulled->events.empty() || pulled->closed) return reading;
  }
}

void expect_rest(TestLog& log, const std::string& ns, ServerVersion version, bson::View token,
                 const Reading& all, size_t from) {
  auto stream =
      open_stream(log, ns, R"([{"$changeStream": {"startAfter": )" + bson::to_json(token) + "}}]", version);
  RC_ASSERT(stream.has_value());
  const auto rest = pull(*stream);
  RC_ASSERT(rest.has_value());
  RC_ASSERT(rest->events.size() == all.events.size() - from);
  for (size_t i = 0; i < rest->events.size(); ++i)
    RC_ASSERT(rest->events[i].view() == all.events[from + i].view());
}

RC_GTEST_PROP(ChangeStream, EveryTokenResumesExactlyBehindItsEvent, ()) {
  const ServerVersion version = *rc::gen::element(ServerVersion{4, 2}, ServerVersion{7, 0});
  const std::string ns = *rc::gen::element<std::string>("shop.a", "shop");
  TestLog log;
  auto stream = open_stream(log, ns, R"([{"$changeStream": {}}])", version);
  RC_ASSERT(stream.has_value());
  for (int i = *rc::gen::inRange(0, 30); i > 0; --i) add_random(log);
  const Reading all = read_in_batches(*stream);
  std::string last;
  for (size_t i = 0; i < all.events.size(); ++i) {
    const bson::View token = all.events[i].view().find("_id")->document();
    RC_ASSERT(last < data_of(token));
    last = data_of(token);
    // What follows an invalidate belongs to the next stream.
    const bool invalidate = all.events[i].view().find("operationType")->string() == "invalidate";
    if (!invalidate) expect_rest(log, ns, version, token, all, i + 1);
  }
  if (stream->invalidated()) return;
  for (const auto& [count, token] : all.marks) expect_rest(log, ns, version, token, all, count);
}

}  // namespace
}  // namespace tidemark::sandbox
