#include "demo/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/app.h"

namespace tidemark::demo {
namespace {

Addresses addresses() {
  return {.mongodb = "mongodb://127.0.0.1:1,127.0.0.1:2/?replicaSet=rs0",
          .amqp_file = "/demo/broker/uri",
          .page_port = 8321,
          .worker_port = 8322,
          .database_path = "/demo/demo.db"};
}

// Both are what `tidemark check` takes, whatever the components' options become.
TEST(DemoConfig, BothProcessesAreConfiguredWell) {
  const Components components = app::all_components();
  config::SpecList specs;
  for (const config::ComponentSpec* spec : all_specs(components)) specs.add(*spec);
  const config::Environment environment{.variable = nullptr,
                                        .read_file = [](const std::string&) -> Result<std::string> {
                                          return "amqp://guest:guest@127.0.0.1:3/%2f\n";
                                        }};
  for (const std::string& text : {front_config(addresses()), worker_config(addresses())}) {
    const config::ParseResult parsed = config::parse("demo.toml", text, specs, environment);
    for (const config::Diagnostic& diagnostic : parsed.diagnostics) ADD_FAILURE() << diagnostic.text();
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed.file->pipelines.size(), 2u);
    EXPECT_TRUE(parsed.file->server.has_value());
    EXPECT_TRUE(parsed.file->guard.has_value());
    EXPECT_THAT(text, ::testing::Not(::testing::ContainsRegex("@[A-Z_]+@"))) << "every place is filled";
  }
}

}  // namespace
}  // namespace tidemark::demo
