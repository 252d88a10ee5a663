// The commands. Each returns the process's exit code (cli/exit_codes.h) and prints what belongs to it.
#pragma once

#include <chrono>
#include <string>

#include "app/app.h"

namespace tidemark::cli {

// Commands speak of what the application is made of.
using namespace app;

struct RunOptions {
  std::string file;
  std::string only;  // one pipeline's name; empty = all
  std::chrono::milliseconds
      exit_when_idle{};       // > 0: end once nothing was delivered for so long (benchmarks, tests)
  bool summary_json = false;  // a line of figures on standard output at the end
};
int run_command(App& app, const RunOptions& options);

struct CheckOptions {
  std::string file;
  bool connect = false;
  std::string event;  // a file with one event: show what each pipeline's transforms make of it
  std::string only;   // one pipeline's name; empty = all
};
int check_command(App& app, const CheckOptions& options);

struct StatusOptions {
  std::string file;
  bool json = false;
};
int status_command(App& app, const StatusOptions& options);

struct PositionOptions {
  std::string action;  // show, init, set, reset
  std::string file;
  std::string pipeline;
  std::string from;
  bool yes = false;
  bool json = false;
};
int position_command(App& app, const PositionOptions& options);

struct DlqOptions {
  std::string action;  // list, show, retry, discard
  std::string file;
  std::string pipeline;  // list: empty = all
  std::string id;
  bool all = false;
  bool yes = false;
  bool json = false;
  size_t limit = 100'000;
};
int dlq_command(App& app, const DlqOptions& options);

struct GuardOptions {
  std::string file;
  std::string only;    // one pipeline's name; empty = all
  std::string listen;  // an address for a server of its own; empty = none
  bool once = false;   // one look at each, and what it says
  bool json = false;   // with `once`
};
int guard_command(App& app, const GuardOptions& options);

struct AuditCommandOptions {
  std::string file;
  std::string only;  // one pipeline's name; empty = every one that can be audited
  std::string kind;  // "count", "checksum"; empty = as configured
  bool repair = false;
  bool json = false;
};
int audit_command(App& app, const AuditCommandOptions& options);

struct ReferenceOptions {
  std::string out;
  bool check = false;  // write nothing; fail when a page isn't up to date
};
int reference_command(App& app, const ReferenceOptions& options);

}  // namespace tidemark::cli
