// A replica set for a test: the sandbox by default, a real one when the run asks for it.
//
// TIDEMARK_TEST_SERVER chooses: "sandbox" (the default), or "real": the deployment of
// TIDEMARK_TEST_MONGODB_URI, else a private replica set of the `mongod` on PATH. tools/run-tests runs the
// integration tests once with each that is there. Owned by the test; one thread. Ends with the test, data
// included; a deployment given by URI is left as it is, so a test works in a database of its own
// (database()).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "support/process.h"
#include "support/temp_folder.h"

namespace tidemark::testing {

class ReplicaSet {
 public:
  struct Options {
    int members = 3;
    std::vector<std::string> sandbox_args = {};  // "--oplog-mb", "8", ...
    bool sandbox_only = false;                   // the test needs faults that only the sandbox has
  };

  // kConfig when the run asks for a server that this test can't use: GTEST_SKIP() with the reason. Any other error is a
  // failure of the test: a sandbox that doesn't start must not look like a skip.
  static Result<std::unique_ptr<ReplicaSet>> start(Options options);
  static Result<std::unique_ptr<ReplicaSet>> start() { return start(Options{}); }
  ~ReplicaSet();

  const std::string& uri() const { return uri_; }
  bool is_sandbox() const { return sandbox_ != nullptr; }
  // A database name that no other test uses.
  const std::string& database() const { return database_; }
  // 7000012 for 7.0.12.
  int version() const { return version_; }
  bool at_least(int major, int minor) const { return version_ >= major * 1'000'000 + minor * 1'000; }

  // The sandbox's own process, to be killed or read. REQUIRES is_sandbox().
  Process& process() { return *sandbox_; }

 private:
  ReplicaSet() = default;
  Status start_sandbox(const Options& options);
  Status start_mongod(const Options& options);
  Status finish_start();

  std::string uri_;
  std::string database_;
  int version_ = 0;
  TempFolder data_;
  std::unique_ptr<Process> sandbox_;
  std::vector<std::unique_ptr<Process>> mongods_;
};

}  // namespace tidemark::testing
