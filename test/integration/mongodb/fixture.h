// What the tests of MongoDB's sink and stores share: one replica set for all of them, a database that each test finds
// empty, and settings. Header-only; one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bson/json.h"
#include "config/settings.h"
#include "core/component.h"
#include "env/posix/clock.h"
#include "sinks/mongodb/component.h"
#include "support/change_events.h"
#include "support/living_owner_clock.h"
#include "support/mongo.h"
#include "support/sandbox.h"

namespace tidemark::testing {

struct Deployment {
  // For a test that brings a set of its own.
  explicit Deployment(ReplicaSet* its_own) : set(its_own) {}
  Deployment() {
    static std::unique_ptr<ReplicaSet> shared = [] {
      auto started = ReplicaSet::start();
      EXPECT_TRUE(started || started.error().react == React::kConfig) << started.error().describe();
      return started ? std::move(*started) : nullptr;
    }();
    set = shared.get();
    if (set == nullptr) return;
    (void)mongo().run(set->database(), R"({"dropDatabase": 1})");
    (void)mongo().run("admin", R"({"configureFailPoint": "failCommand", "mode": "off"})");
  }

  std::optional<std::string> unavailable() const {
    if (set == nullptr) return "no replica set to test with";
    return std::nullopt;
  }
  const std::string& database() const { return set->database(); }
  Mongo& mongo() const {
    static Mongo client(set->uri());
    return client;
  }

  // Fails the next commands of these names on the primary.
  bool fail_commands(const std::string& names, int code, int times = 1) const {
    return mongo()
        .run("admin", R"({"configureFailPoint": "failCommand", "mode": {"times": )" + std::to_string(times) +
                          R"(}, "data": {"failCommands": )" + names + R"(, "errorCode": )" +
                          std::to_string(code) + "}}")
        .has_value();
  }
  void step_down() const { (void)mongo().run("admin", R"({"replSetStepDown": 1, "force": true})"); }

  int primary_port() const {
    const auto hello = mongo().run("admin", R"({"hello": 1})");
    const auto primary = hello ? hello->view().find("primary") : std::nullopt;
    if (!primary || !primary->is_string()) {
      ADD_FAILURE() << "no primary";
      return 0;
    }
    const std::string host(primary->string());
    return std::stoi(host.substr(host.rfind(':') + 1));
  }

  void renew() {
    const int64_t until = wall.wall_ms() + 60'000 + ++renewals;
    (void)mongo().update(
        database(), "tidemark_positions", R"({"_id": "orders"})",
        R"({"$set": {"leaseUntil": {"$date": {"$numberLong": ")" + std::to_string(until) + R"("}}}})");
  }
  void break_lease() {
    EXPECT_TRUE(mongo().update(database(), "tidemark_positions", R"({"_id": "orders"})",
                               R"({"$set": {"leaseUntil": {"$date": {"$numberLong": "0"}}}})"));
  }

  ComponentContext context() {
    ComponentContext context;
    context.pipeline = "orders";
    context.clock = &clock;
    return context;
  }

  config::Settings sink_settings(const std::string& mode, const std::string& uri = {}) const {
    config::Settings settings;
    settings.set_where("test.toml:1:1, pipeline.sink");
    settings.set("uri", uri.empty() ? set->uri() : uri);
    settings.set("database", database());
    settings.set("collection", std::string("orders"));
    settings.set("mode", mode);
    settings.set("unique_key", std::vector<std::string>{});
    settings.set("guard_field", std::string("_tidemark"));
    settings.set("on_drop", std::string("apply"));
    settings.set("transaction", std::string("auto"));
    settings.set("position_database", std::string());
    settings.set("position_collection", std::string("tidemark_positions"));
    settings.set("owner_collection", std::string("tidemark_tables"));
    settings.set("lease_ttl", int64_t{30'000});
    return settings;
  }

  // The documents of a collection in order of _id, as JSON.
  std::vector<std::string> documents(const std::string& collection = "orders",
                                     const std::string& filter = "{}") const {
    std::vector<std::string> found;
    auto documents = mongo().find(database(), collection, filter);
    if (!documents) ADD_FAILURE() << documents.error().describe();
    if (!documents) return found;
    for (const bson::Document& document : *documents)
      found.push_back(bson::to_json(document, bson::JsonMode::kRelaxed));
    return found;
  }

  ReplicaSet* set = nullptr;
  PosixClock wall;
  int renewals = 0;
  LivingOwnerClock clock{[this] { renew(); }};
};

class WithDeployment : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = at.unavailable()) GTEST_SKIP() << *reason;
  }
  std::unique_ptr<Sink> opened(const config::Settings& settings) {
    auto sink = mongodb_sink_component().plain(settings, at.context());
    EXPECT_TRUE(sink) << sink.error().describe();
    const Status status = (*sink)->open({});
    EXPECT_TRUE(status) << status.error().describe();
    return std::move(*sink);
  }

  Deployment at;
};

}  // namespace tidemark::testing
