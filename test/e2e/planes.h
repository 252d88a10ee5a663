// The planes as black boxes: a broker, a replica set, configurations of one or more planes, and `tidemark run` for
// each. Names are a test's own, so that tests share the servers.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "e2e/http_client.h"
#include "e2e/relay.h"
#include "support/mongo.h"
#include "support/process.h"
#include "support/rabbitmq.h"
#include "support/sandbox.h"
#include "support/temp_folder.h"

namespace tidemark::e2e {

inline constexpr const char* kBatchType = "application/cloudevents-batch+json";
inline constexpr const char* kEventType = "application/cloudevents+json";

// A CloudEvent in structured JSON. A poisoned one is well-formed and passes the door; the processor's transform `rename`
// can't place its field and rejects it, each time.
std::string event_json(const std::string& id, bool poisoned = false);
inline constexpr const char* kEventSource = "/planes/test";

// One pipeline from a queue into DATABASE.events, keyed by the event's source and id, and nothing beside it.
std::string queue_pipeline_toml(const std::string& pipeline, const std::string& broker_uri,
                                const std::string& queue, const std::string& sink_uri,
                                const std::string& database);

class Planes : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // One pipeline of the configuration each.
  std::string ingest_toml() const;
  std::string process_toml() const;
  std::string observe_toml() const;
  // [server] on port(); `further` lines of it.
  std::string server_toml(const std::string& further = "") const;

  // Writes NAME.toml and starts `tidemark run` on it, without waiting.
  std::unique_ptr<testing::Process> start(const std::string& name, const std::string& toml);
  // Until /readyz of `process` says 200.
  void await_ready(testing::Process& process, const std::string& headers = "");
  int port() const { return port_; }

  // What the collection holds, by the event's id; a document twice is counted twice.
  std::multiset<std::string> stored_ids();
  int64_t stored_count();
  // Until `count` events are stored; fails with what `process` wrote.
  void await_stored(int64_t count, testing::Process& process,
                    testing::Process::Milliseconds patience = testing::Process::kPatience);
  // The whole answer of GET PATH as JSON; null and a failure where there is none.
  nlohmann::json get_json(const std::string& path, const std::string& headers = "");

  testing::ReplicaSet* set_ = nullptr;
  testing::RabbitServer* broker_ = nullptr;
  std::unique_ptr<testing::Mongo> client_;
  testing::TempFolder folder_;
  std::string database_;
  std::string queue_;
  std::string dead_queue_;
  std::string exchange_;

 private:
  int port_ = 0;
};

// How many files the process has open, and its resident memory.
size_t open_files(pid_t pid);
size_t resident_bytes(pid_t pid);

}  // namespace tidemark::e2e
