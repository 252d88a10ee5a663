#include "cli/program.h"

#include <csignal>
#include <cstdio>

#include <CLI/CLI.hpp>

#include "app/exit_codes.h"
#include "app/version.h"
#include "cli/commands.h"
#include "cli/usage.h"
#include "demo/demo.h"
#include "env/posix/log_writer.h"

namespace tidemark::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 ok, 1 an audit or a look found something, 64 usage, 65 corrupt position or rejected\n"
    "event, 69 server unreachable, 70 internal, 75 try again later, 76 position lost, 77 another instance\n"
    "owns the position, 78 configuration or no stored position, 130 cut short by a signal.\n"
    "docs/operating.md says what to do about each.";

// Registers a command whose options live as long as the parser; `chosen` gets its run function.
using Chosen = std::function<int(App&)>;

void add_run(CLI::App& cli, RunOptions& options, Chosen& chosen) {
  CLI::App* command =
      cli.add_subcommand("run", "Carry every change from each source to its sink, until stopped");
  command->add_option("FILE", options.file, "Configuration file")->required();
  command->add_option("--only", options.only, "Run this pipeline alone");
  command->add_option("--exit-when-idle", options.exit_when_idle,
                      "End once nothing was delivered for so many milliseconds (for benchmarks and tests)");
  command->add_flag("--summary-json", options.summary_json, "Print a line of figures as JSON at the end");
  command->callback([&] { chosen = [&options](App& app) { return run_command(app, options); }; });
}

void add_check(CLI::App& cli, CheckOptions& options, Chosen& chosen) {
  CLI::App* command = cli.add_subcommand("check", "Check a configuration file");
  command->add_option("FILE", options.file, "Configuration file")->required();
  command->add_flag("--connect", options.connect, "Reach every server too");
  command->add_option("--event", options.event,
                      "Show what the transforms make of the event in this file: a change event in Extended "
                      "JSON, or a CloudEvent");
  command->add_option("--only", options.only, "Check this pipeline alone");
  command->callback([&] { chosen = [&options](App& app) { return check_command(app, options); }; });
}

void add_status(CLI::App& cli, StatusOptions& options, Chosen& chosen) {
  CLI::App* command = cli.add_subcommand(
      "status", "Show each pipeline's position, lag and oplog window; no process needs to run");
  command->add_option("FILE", options.file, "Configuration file")->required();
  command->add_flag("--json", options.json, "As JSON, a stable contract");
  command->callback([&] { chosen = [&options](App& app) { return status_command(app, options); }; });
}

void add_position(CLI::App& cli, PositionOptions& options, Chosen& chosen) {
  CLI::App* parent = cli.add_subcommand("position", "Show, make, replace or forget a pipeline's position");
  parent->require_subcommand(1);
  const auto add = [&](const std::string& action, const std::string& help) {
    CLI::App* command = parent->add_subcommand(action, help);
    command->add_option("FILE", options.file, "Configuration file")->required();
    command->add_option("NAME", options.pipeline, "Pipeline")->required();
    if (action == "init" || action == "set")
      command->add_option("--from", options.from, "now | earliest | time:RFC3339 | token:HEX");
    command->add_flag("--yes", options.yes, "Do it without asking");
    command->add_flag("--json", options.json, "As JSON");
    command->callback([&options, &chosen, action] {
      options.action = action;
      chosen = [&options](App& app) { return position_command(app, options); };
    });
  };
  add("show", "Show the stored position");
  add("init", "Decide where a pipeline without a position starts");
  add("set", "Replace the position; what lies between is recorded as a gap");
  add("reset", "Forget the position");
}

void add_dlq(CLI::App& cli, DlqOptions& options, Chosen& chosen) {
  CLI::App* parent = cli.add_subcommand("dlq", "Dead letters: list, show, deliver again, discard");
  parent->require_subcommand(1);
  const auto add = [&](const std::string& action, const std::string& help) {
    CLI::App* command = parent->add_subcommand(action, help);
    command->add_option("FILE", options.file, "Configuration file")->required();
    auto* name = command->add_option("NAME", options.pipeline, "Pipeline");
    if (action != "list") {
      name->required();
      auto* id = command->add_option("ID", options.id, "The letter's id");
      if (action == "show") id->required();
    }
    if (action == "retry" || action == "discard") command->add_flag("--all", options.all, "Every letter");
    if (action == "discard") command->add_flag("--yes", options.yes, "Do it without asking");
    if (action == "list" || action == "show") command->add_flag("--json", options.json, "As JSON");
    if (action != "show") command->add_option("--limit", options.limit, "At most so many letters");
    command->callback([&options, &chosen, action] {
      options.action = action;
      chosen = [&options](App& app) { return dlq_command(app, options); };
    });
  };
  add("list", "List the dead letters, of one pipeline or of all");
  add("show", "Show one letter with its event");
  add("retry", "Deliver a letter's event again, and remove the letter");
  add("discard", "Forget a letter and its event");
}

void add_guard(CLI::App& cli, GuardOptions& options, Chosen& chosen) {
  CLI::App* command = cli.add_subcommand(
      "guard", "Watch the pipelines of a file from outside, apart from the process that runs them");
  command->add_option("FILE", options.file, "Configuration file")->required();
  command->add_option("--only", options.only, "Watch this pipeline alone");
  auto* once = command->add_flag("--once", options.once,
                                 "Look once, print what is wrong, and end: 0 nothing, 1 something");
  command->add_flag("--json", options.json, "With --once: as JSON, a stable contract")->needs(once);
  command
      ->add_option("--listen", options.listen,
                   "Address of a page and an API of the guard's own, such as 127.0.0.1:8331; [server] gives "
                   "the rest. Without it the guard listens nowhere")
      ->excludes(once);
  command->callback([&] { chosen = [&options](App& app) { return guard_command(app, options); }; });
}

void add_audit(CLI::App& cli, AuditCommandOptions& options, Chosen& chosen) {
  CLI::App* command = cli.add_subcommand(
      "audit", "Compare what each pipeline's source and sink hold, whether the pipeline runs or not");
  command->add_option("FILE", options.file, "Configuration file")->required();
  command->add_option("--only", options.only, "Audit this pipeline alone");
  command->add_option("--kind", options.kind, "count | checksum; by default as [[guard.audit]] says")
      ->check(CLI::IsMember({"count", "checksum"}));
  command->add_flag("--repair", options.repair,
                    "Deliver again, through the pipeline's own sink, exactly the documents that differ");
  command->add_flag("--json", options.json, "As JSON, a stable contract");
  command->callback([&] { chosen = [&options](App& app) { return audit_command(app, options); }; });
}

CLI::App* add_demo(CLI::App& cli, demo::Options& options, double& seconds) {
  CLI::App* command =
      cli.add_subcommand("demo", "Show the four planes under faults, with a live page, and audit them");
  command->add_option("--for", seconds, "How long events and faults go on, such as 60s or 10m")
      ->transform(CLI::AsNumberWithUnit(std::map<std::string, double>{{"ms", 0.001}, {"s", 1}, {"m", 60}}));
  command->add_option("--data", options.data, "GeoJSON file of earthquakes");
  command->add_option("--seed", options.seed, "Seed of events and faults");
  command->add_option("--rate", options.rate, "Events posted per second, at most")
      ->check(CLI::Range(1, demo::kRateMax));
  command->add_option("--port", options.port, "The page's port; a free one when something else listens there")
      ->check(CLI::Range(0, 65'535));
  command->add_option("--keep", options.keep, "Work in this folder and keep it");
  command->add_flag("!--no-faults", options.faults, "Only the faults that the page's buttons inflict");
  command->add_flag("--plain", options.plain, "Lines instead of the live view");
  return command;
}

void add_reference(CLI::App& cli, ReferenceOptions& options, Chosen& chosen) {
  CLI::App* command = cli.add_subcommand("reference", "Write the configuration reference as Markdown");
  command->add_option("--out", options.out, "Folder to write into")->required();
  command->add_flag("--check", options.check, "Write nothing; fail when a page is out of date");
  command->callback([&] { chosen = [&options](App& app) { return reference_command(app, options); }; });
}

}  // namespace

int run_program(int argc, char** argv, uint64_t (*allocations)()) {
  // Both would end the process for what is an error of one write: a reader that has gone (EPIPE), a file that may not grow
  // (EFBIG, `ulimit -f`), which is waited out like a full disk.
  hold_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  CLI::App cli(
      "Tidemark carries every change of a MongoDB deployment to other systems, at least once, and can prove "
      "it.",
      "tidemark");
  cli.footer(kExitCodes);
  cli.require_subcommand(1);
  cli.set_version_flag("--version", kVersion);
  Chosen chosen;
  RunOptions run;
  CheckOptions check;
  StatusOptions status;
  PositionOptions position;
  DlqOptions dlq;
  GuardOptions guard;
  AuditCommandOptions audit;
  demo::Options demo_options;
  ReferenceOptions reference;
  add_run(cli, run, chosen);
  add_check(cli, check, chosen);
  add_status(cli, status, chosen);
  add_position(cli, position, chosen);
  add_dlq(cli, dlq, chosen);
  add_guard(cli, guard, chosen);
  add_audit(cli, audit, chosen);
  double demo_seconds = 60;
  const CLI::App* demo_command = add_demo(cli, demo_options, demo_seconds);
  add_reference(cli, reference, chosen);
  cli.add_subcommand("version", "Print the version")->callback([&] {
    chosen = [](App&) {
      std::printf("tidemark %s\n", kVersion);
      return static_cast<int>(kOk);
    };
  });
  if (const auto unknown = unknown_word(cli, argc, argv)) {
    std::fprintf(stderr, "tidemark: %s\n  what to do: %s\n", unknown->what.c_str(), unknown->hint.c_str());
    return kUsage;
  }
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? kOk : kUsage;
  }
  if (demo_command->parsed()) {
    demo_options.duration = std::chrono::milliseconds(static_cast<int64_t>(demo_seconds * 1000));
    return demo::run(demo_options);
  }
  SignalWaiter signals({SIGINT, SIGTERM, SIGHUP});
  // Standard output belongs to what a command answers; `run` sets the level that its file asks for.
  if (Status started = start_log(LogLevel::kWarn); !started) return report(started.error());
  App app(signals);
  app.allocations = allocations;
  return chosen(app);
}

}  // namespace tidemark::cli
