// What a dead letter of a queue's message holds: everything that can be said of it but what the pipeline hides.
#include <csignal>

#include <fmt/format.h>

#include "e2e/planes.h"

namespace tidemark::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PlanesLetters : public Planes {
 protected:
  // The processor with `redact` behind a transform that rejects what is poisoned; `retry` goes into its dead letters.
  std::string redacting_toml(const std::string& retry) const {
    return fmt::format(R"(
[[pipeline]]
name = "process"
on_reject = "dead_letter"
[pipeline.source]
type = "rabbitmq"
uri = "{0}"
queue = "{1}"
[pipeline.sink]
type = "mongodb"
uri = "{3}"
database = "{4}"
collection = "letters"
mode = "insert"
unique_key = ["source", "id"]
[[pipeline.transform]]
type = "project"
rename = {{ "data.mark" = "data.note.mark" }}
[[pipeline.transform]]
type = "redact"
paths = ["data.email"]
action = "mask"
[pipeline.dead_letters]
type = "rabbitmq"
uri = "{0}"
queue = "{2}"
{5}
)",
                       broker_->uri(), queue_, dead_queue_, set_->uri(), database_, retry);
  }
};

TEST_F(PlanesLetters, HideWhatTheTransformsHideInTheEventAndInTheMessage) {
  const std::string poisoned =
      R"({"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"mark":1,"note":"n","email":"ann@example"}})";
  broker_->declare_queue(queue_);
  broker_->declare_queue(dead_queue_);
  for (const std::string& retry : {std::string(), "retry_queue = \"" + queue_ + "\"\nattempts_max = 2"}) {
    auto process = start("process", redacting_toml(retry));
    broker_->publish("", queue_, {poisoned, R"({"data":{"email":"ann@example"}})", "email=ann@example"});
    std::vector<testing::RabbitMessage> letters;
    EXPECT_TRUE(testing::eventually([&] {
      for (auto& letter : broker_->drain(dead_queue_)) letters.push_back(std::move(letter));
      return letters.size() >= 3;
    })) << process->error_output();
    process->signal(SIGTERM);
    EXPECT_TRUE(process->wait().has_value());
    EXPECT_THAT(process->error_output(), Not(HasSubstr("ann@example")));
    size_t masked = 0, withheld = 0;
    for (const testing::RabbitMessage& letter : letters) {
      EXPECT_THAT(letter.body, Not(HasSubstr("ann@example")));
      for (const auto& [name, value] : letter.headers)
        EXPECT_THAT(value, Not(HasSubstr("ann@example"))) << name;
      masked += letter.body.find("***") != std::string::npos;
      withheld += letter.body.find("withheld: 17 bytes") != std::string::npos;
    }
    EXPECT_EQ(letters.size(), 3u);
    EXPECT_EQ(masked, 2u);
    EXPECT_EQ(withheld, 1u);
  }
}

}  // namespace
}  // namespace tidemark::e2e
