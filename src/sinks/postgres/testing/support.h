// What the tests of this folder share: settings, and what of the server's answers a proxy loses.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "config/settings.h"
#include "env/posix/clock.h"
#include "env/posix/file_system.h"
#include "sinks/postgres/component.h"
#include "support/change_events.h"
#include "support/lossy_proxy.h"
#include "support/postgres.h"

namespace tidemark::testing {

inline config::Settings postgres_settings(const std::string& uri, const std::string& mode,
                                          const std::string& table = "orders",
                                          const std::string& on_drop = "apply") {
  config::Settings settings;
  settings.set_where("test.toml:1:1, pipeline.sink");
  settings.set("uri", uri);
  settings.set("table", table);
  settings.set("mode", mode);
  settings.set("on_drop", on_drop);
  settings.set("position_table", std::string("tidemark_positions"));
  settings.set("owner_table", std::string("tidemark_tables"));
  settings.set("connect_timeout", int64_t{5000});
  settings.set("statement_timeout", int64_t{20'000});
  settings.set("takeover_timeout", int64_t{500});
  return settings;
}

// The rows of a table in mode "current" as the tokens of token_hex(), whose guards are all but their last byte. A shard key
// stands behind it.
inline constexpr const char* kGuardsAsTokens = "upper(encode(substr(token, 1, 14), 'hex')) || '04'";
// As a table of mode "current" was made when guards were texts.
inline constexpr const char* kTextGuardTable =
    "CREATE TABLE IF NOT EXISTS orders(id text PRIMARY KEY, doc jsonb, token text, cluster_time timestamp "
    "with time zone)";

// Loses the answer of the next transaction that commits: the server's word for it is the command's name and a zero byte.
inline void lose_commit_answer(LossyProxy& proxy) { proxy.lose_answers(1, "", std::string("COMMIT", 7)); }

inline constexpr const char* kKey = R"({"_id":1})";

inline std::string after(const std::string& document) { return R"({"fullDocument":)" + document + "}"; }

// A schema of its own for each test, and the transactional sink over it.
class PostgresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto reason = PostgresServer::unavailable()) GTEST_SKIP() << *reason;
    uri_ = PostgresServer::shared().create_schema();
  }

  ComponentContext context() { return {"orders", &clock_, &files_}; }

  std::unique_ptr<TransactionalSink> opened(const config::Settings& settings) {
    auto sink = postgres_sink_component().transactional(settings, context()).value();
    auto loaded = sink->open_and_load({"orders", "f", "d"}, {});
    EXPECT_TRUE(loaded) << loaded.error().describe();
    return sink;
  }
  Error open_error(const config::Settings& settings) {
    auto sink = postgres_sink_component().transactional(settings, context()).value();
    auto loaded = sink->open_and_load({"orders", "f", "d"}, {});
    EXPECT_FALSE(loaded);
    return loaded ? Error{} : loaded.error();
  }
  static WriteResult write(TransactionalSink& sink, const EventBatch& batch, uint32_t position) {
    return sink.write(batch.events(), position_at(position), {});
  }
  std::vector<std::string> rows(const std::string& sql) { return PostgresServer::query(uri_, sql); }

  std::string uri_;
  PosixFileSystem files_;
  PosixClock clock_;
};

}  // namespace tidemark::testing
