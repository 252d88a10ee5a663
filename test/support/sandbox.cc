#include "support/sandbox.h"

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include <unistd.h>

#include "support/mongo.h"

namespace tidemark::testing {
namespace {

constexpr int kStartTries = 3;  // somebody may take a port between our look and the server's
constexpr Process::Milliseconds kStartPatience{15'000};
// Three mongods that make their journals, and an election, beside other tests.
constexpr Process::Milliseconds kMongodPatience{90'000};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string find_on_path(const std::string& program) {
  std::string_view path = std::getenv("PATH") == nullptr ? "" : std::getenv("PATH");
  while (!path.empty()) {
    const size_t colon = path.find(':');
    const std::filesystem::path candidate = std::filesystem::path(path.substr(0, colon)) / program;
    if (access(candidate.c_str(), X_OK) == 0) return candidate.string();
    path = colon == std::string_view::npos ? std::string_view() : path.substr(colon + 1);
  }
  return "";
}

}  // namespace

Result<std::unique_ptr<ReplicaSet>> ReplicaSet::start(Options options) {
  std::unique_ptr<ReplicaSet> set(new ReplicaSet);
  const bool real = environment("TIDEMARK_TEST_SERVER") == "real";
  if (real && options.sandbox_only)
    return fail(React::kConfig, "this test inflicts faults that only the sandbox has");
  if (!real) {
    TIDEMARK_TRY(set->start_sandbox(options));
  } else if (set->uri_ = environment("TIDEMARK_TEST_MONGODB_URI"); set->uri_.empty()) {
    TIDEMARK_TRY(set->start_mongod(options));
  }
  TIDEMARK_TRY(set->finish_start());
  return set;
}

Status ReplicaSet::start_sandbox(const Options& options) {
  std::string words;
  for (int tries = 0; tries < kStartTries; ++tries) {
    std::vector<std::string> args = {bin_dir() + "/tidemark-sandbox", "--members",
                                     std::to_string(options.members), "--port",
                                     std::to_string(free_ports(options.members))};
    args.insert(args.end(), options.sandbox_args.begin(), options.sandbox_args.end());
    sandbox_ = std::make_unique<Process>(std::move(args));
    // The first line is the URI, alone or after a few words.
    const auto line = sandbox_->read_until("mongodb://", kStartPatience);
    if (line) {
      uri_ = line->substr(line->find("mongodb://"));
      uri_ = uri_.substr(0, uri_.find_first_of(" \t\r"));
      return {};
    }
    words = sandbox_->error_output();
  }
  return fail(React::kFatal, "the sandbox didn't start: " + words);
}

Status ReplicaSet::start_mongod(const Options& options) {
  const std::string mongod = find_on_path("mongod");
  if (mongod.empty()) {
    return fail(React::kConfig,
                "TIDEMARK_TEST_SERVER=real, but there is neither TIDEMARK_TEST_MONGODB_URI nor a mongod");
  }
  const int port = free_ports(options.members);
  std::string members, hosts;
  for (int i = 0; i < options.members; ++i) {
    const std::string host = "127.0.0.1:" + std::to_string(port + i);
    const std::string folder = data_.file("member" + std::to_string(i));
    std::filesystem::create_directory(folder);
    mongods_.push_back(std::make_unique<Process>(
        std::vector<std::string>{mongod, "--replSet", "tidemark", "--bind_ip", "127.0.0.1", "--port",
                                 std::to_string(port + i), "--dbpath", folder, "--oplogSize", "64",
                                 "--setParameter", "enableTestCommands=1", "--logpath", folder + "/log"}));
    members +=
        (i > 0 ? "," : "") + std::string("{\"_id\":") + std::to_string(i) + ",\"host\":\"" + host + "\"}";
    hosts += (i > 0 ? "," : "") + host;
  }
  Mongo direct("mongodb://127.0.0.1:" + std::to_string(port) +
               "/?directConnection=true&serverSelectionTryOnce=false");
  if (!eventually([&] { return direct.run("admin", R"({"ping": 1})").has_value(); }, kMongodPatience)) {
    return fail(React::kFatal, "mongod didn't start: " + mongods_.front()->output());
  }
  const auto initiated = direct.run(
      "admin",
      R"({"replSetInitiate":{"_id":"tidemark","settings":{"electionTimeoutMillis":1000},"members":[)" +
          members + "]}}");
  if (!initiated) return fail(initiated.error());
  uri_ = "mongodb://" + hosts + "/?replicaSet=tidemark&serverSelectionTryOnce=false";
  return {};
}

Status ReplicaSet::finish_start() {
  static int started = 0;
  database_ = "t" + std::to_string(getpid()) + "_" + std::to_string(++started);
  Mongo client(uri_);
  Result<int> version = 0;
  const bool ready = eventually(
      [&] {
        version = client.server_version_number();
        return version && client.insert(database_, "ready", R"({"_id": 0})");
      },
      sandbox_ == nullptr ? kMongodPatience : kStartPatience);
  if (!ready) return fail(React::kFatal, "no primary at " + uri_);
  version_ = *version;
  return client.drop(database_, "ready");
}

ReplicaSet::~ReplicaSet() {
  if (sandbox_ == nullptr && mongods_.empty() && version_ != 0) {
    (void)Mongo(uri_).run(database_, R"({"dropDatabase": 1})");
  }
}

}  // namespace tidemark::testing
