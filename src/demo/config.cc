#include "demo/config.h"

#include <utility>

namespace tidemark::demo {
namespace {

constexpr const char* kFront = R"(# Written by `tidemark demo`: the process with the page.
[server]
listen = "127.0.0.1:@PAGE_PORT@"
peers = ["http://127.0.0.1:@WORKER_PORT@"]

[[stats]]
type = "mongodb"
uri = "@MONGODB@"
database = "@DATABASE@"
collection = "@COLLECTION@"

[[stats]]
type = "rabbitmq"
uri = { file = "@AMQP_FILE@" }
queue = "events"

[guard]
interval = "5s"

# POST /events is answered 202 once RabbitMQ has confirmed every event of the request.
[[pipeline]]
name = "ingest"
retry_max = "2s"

[pipeline.source]
type = "http"
path = "@INLET@"

[pipeline.sink]
type = "rabbitmq"
uri = { file = "@AMQP_FILE@" }
exchange = "tidemark"
routing_key = "events"
queue = "events"

[[pipeline]]
name = "@OBSERVE@"
retry_max = "4s"

[pipeline.source]
type = "mongodb"
uri = "@MONGODB@&appName=@FEED_APP@"
database = "@DATABASE@"
collection = "@COLLECTION@"
filter = '[{"$match": {"operationType": "insert"}}]'

[pipeline.sink]
type = "live"
events_max = 10000
bytes_max = "32MiB"

[pipeline.position]
type = "memory"
start = "now"
)";

constexpr const char* kWorker =
    R"(# Written by `tidemark demo`: the process that is killed with -9 and started again.
[server]
listen = "127.0.0.1:@WORKER_PORT@"

# What the page says of alerts and audits is the guard's, which asks the servers itself.
[guard]
interval = "5s"

[[guard.audit]]
pipeline = "@ARCHIVE@"
every = "20s"
rate = 20000

[[pipeline]]
name = "@PROCESS@"
on_reject = "dead_letter"
retry_max = "2s"

[pipeline.source]
type = "rabbitmq"
uri = { file = "@AMQP_FILE@" }
queue = "events"
prefetch = 1000

[[pipeline.transform]]
type = "enrich"
wrap = "raw"

[[pipeline.transform]]
type = "classify"
rules = '''[
  {"when": {"raw.data.mag": {"$gte": 7}}, "set": {"severity": "major",    "category": "earthquake", "tags": ["tsunami-watch", "page-somebody"]}},
  {"when": {"raw.data.mag": {"$gte": 6}}, "set": {"severity": "strong",   "category": "earthquake", "tags": ["tsunami-watch"]}},
  {"when": {"raw.data.mag": {"$gte": 5}}, "set": {"severity": "moderate", "category": "earthquake", "tags": ["felt"]}},
  {"when": {"raw.data.mag": {"$gte": 4}}, "set": {"severity": "light",    "category": "earthquake", "tags": ["felt"]}},
  {"when": {"raw.data.mag": {"$lt": 4}},  "set": {"severity": "minor",    "category": "earthquake", "tags": []}}
]'''
otherwise = '{"severity": "unknown", "category": "other", "tags": []}'

# The poisoned events of the demo have a `mark`; `place` is a text, and a text has no room for it: they are rejected.
[[pipeline.transform]]
type = "project"
rename = { "raw.data.mark" = "raw.data.place.mark" }

[pipeline.sink]
type = "mongodb"
uri = "@MONGODB@"
database = "@DATABASE@"
collection = "@COLLECTION@"
mode = "insert"
unique_key = ["raw.source", "raw.id"]

[pipeline.dead_letters]
type = "rabbitmq"
uri = { file = "@AMQP_FILE@" }
queue = "events.dead"
retry_queue = "events"
attempts_max = 3

[[pipeline]]
name = "@ARCHIVE@"
idle_save = "1s"
retry_max = "2s"

[pipeline.source]
type = "mongodb"
uri = "@MONGODB@"
database = "@DATABASE@"
collection = "@COLLECTION@"
full_document = "update_lookup"

[pipeline.sink]
type = "sqlite"
path = "@SQLITE@"
table = "@TABLE@"
mode = "current"
)";

std::string fill(std::string text, const Addresses& addresses) {
  const std::pair<const char*, std::string> values[] = {
      {"@PAGE_PORT@", std::to_string(addresses.page_port)},
      {"@WORKER_PORT@", std::to_string(addresses.worker_port)},
      {"@MONGODB@", addresses.mongodb},
      {"@AMQP_FILE@", addresses.amqp_file},
      {"@SQLITE@", addresses.database_path},
      {"@DATABASE@", kDatabase},
      {"@COLLECTION@", kCollection},
      {"@TABLE@", kTable},
      {"@INLET@", kInletPath},
      {"@ARCHIVE@", kArchive},
      {"@PROCESS@", kProcess},
      {"@OBSERVE@", kObserve},
      {"@FEED_APP@", kFeedAppName}};
  for (const auto& [name, value] : values)
    for (size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size())
      text.replace(at, std::string_view(name).size(), value);
  return text;
}

}  // namespace

std::string front_config(const Addresses& addresses) { return fill(kFront, addresses); }

std::string worker_config(const Addresses& addresses) { return fill(kWorker, addresses); }

}  // namespace tidemark::demo
