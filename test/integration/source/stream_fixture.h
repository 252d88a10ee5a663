// A replica set, a client that writes to it, and the source under test, for the tests of this folder. One thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/source.h"
#include "env/posix/clock.h"
#include "support/mongo.h"
#include "support/sandbox.h"

namespace tidemark::testing {

// One replica set for all tests of a suite that harm nothing; each test has a collection of its own.
class StreamTest : public ::testing::Test {
 protected:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;

  // A source of this test's collection, or of what `fields` say.
  std::unique_ptr<Source> source(Fields fields = {});
  std::unique_ptr<Source> source_of(Fields fields);  // nothing but the uri is filled in
  // A source that has been opened at `now`.
  std::unique_ptr<Source> open_source(Fields fields = {});

  // Reads until `count` events are there, or for at most ten seconds.
  struct Seen {
    std::vector<std::shared_ptr<EventBatch>> batches;  // keep the events alive
    std::vector<Event> events;
    Position resume_after;
    bool closed = false;
    std::optional<Error> error;

    std::vector<std::string> ops() const;
  };
  static Seen read(Source& source, size_t count);

  void insert(int id) {
    ok(mongo().insert(database(), collection_, R"({"_id": )" + std::to_string(id) + "}"));
  }
  static void ok(const Status& status) { ASSERT_TRUE(status) << status.error().describe(); }
  static bson::Document ok(const Result<bson::Document>& reply);

  static Mongo& mongo() { return *mongo_; }
  static ReplicaSet& set() { return *set_; }
  static const std::string& database() { return set_->database(); }

  std::string collection_;

  static std::unique_ptr<ReplicaSet> set_;
  static std::unique_ptr<Mongo> mongo_;
  static std::string skip_;
};

}  // namespace tidemark::testing
