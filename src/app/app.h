// What every command works with, made once by main: the machine, the components, the signals.
#pragma once

#include <string>
#include <vector>

#include "config/parser.h"
#include "env/posix/clock.h"
#include "env/posix/file_system.h"
#include "env/posix/signals.h"
#include "registry/components.h"
#include "runtime/build.h"

namespace tidemark::app {

// The one explicit list of every component the program has.
Components all_components();

struct App {
  explicit App(SignalWaiter& waiter) : signals(waiter) {}

  SignalWaiter& signals;
  PosixClock clock;
  PosixFileSystem files;
  Components components = all_components();
  // Counts heap allocations since the start of the process; only the benchmarks' binary has one.
  uint64_t (*allocations)() = nullptr;

  ComponentContext context() { return {.pipeline = {}, .clock = &clock, .files = &files}; }
};

// Sends the log to standard error, or to `file`, at this level or the one that TIDEMARK_LOG=debug|info|warn|error|off
// names. kConfig when the file can't be written.
Status start_log(LogLevel level, const std::string& file = {});

// Reads and checks a configuration file; every finding goes to standard error. Empty when there is an error:
// the command then ends with kConfig.
std::optional<config::File> load(App& app, const std::string& path);

// The pipeline of this name; prints the names there are when it isn't one of them.
const config::PipelineConfig* find_pipeline(const config::File& file, const std::string& name);

// Prints "tidemark: WHAT" and the hint to standard error; returns the exit code that belongs to the error.
int report(const Error& error);

// An argument as a shell takes it back.
std::string shell_quote(const std::string& text);

}  // namespace tidemark::app
