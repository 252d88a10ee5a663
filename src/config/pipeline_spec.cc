#include "config/pipeline_spec.h"

#include "config/fields.h"

namespace tidemark::config {
namespace {

using namespace fields;

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kMinuteMs = 60'000;
constexpr int64_t kHourMs = 60 * kMinuteMs;

ComponentSpec make_pipeline_spec() {
  ComponentSpec spec;
  spec.kind = "pipeline";
  spec.summary =
      "One pipeline is one source, one sink and one position. Fan-out is several pipelines, so that a slow "
      "sink never holds another's position.";
  spec.fields = {
      required(
          text("name",
               "The pipeline's name in commands, messages and stored positions: lower-case letters, digits, "
               "`-` and `_`, at most 64. Changing it makes it another pipeline, with a position of its own."),
          "\"orders\""),
      number(
          "lanes", "1", 1, 64,
          "How many writers the sink has. Events of one document always take the same lane, so their order "
          "stays. A sink that keeps the position in its own transaction, or writes one file, has one lane."),
      number("batch_events_max", "1000", 1, 100'000, "The most events of one write."),
      bytes("batch_bytes_max", "4MiB", 1024, 256 * kMiB,
            "The most bytes of one write; a single larger event goes alone."),
      bytes("in_flight_bytes_max", "8MiB", 1024, 4096 * kMiB,
            "Reading pauses while this much was read and is not yet durable. It bounds the memory of a "
            "pipeline whose sink is slower than its source."),
      number("unsaved_events_max", "100000", 1, 10'000'000,
             "Reading pauses while this many events are durable at the sink and their position is not yet "
             "saved: the most that a crash can make the sink see twice."),
      duration("idle_save", "10s", 100, kHourMs,
               "How often the position of a quiet stream is saved, so that it never falls off the oplog."),
      duration("retry_initial", "1s", 10, kHourMs,
               "The first wait after a fault that may pass; it doubles from there."),
      duration("retry_max", "30s", 10, kHourMs, "The longest wait between two tries."),
      duration(
          "auth_patience", "10m", 0, 24 * kHourMs,
          "How long refused credentials, grants, certificates and permissions are waited out where they have "
          "worked before in this process (a password that is rotated, a user that is created anew). What has "
          "never worked ends the pipeline after three tries; 0s ends it at the first refusal in any case."),
      choice("on_reject", {"stop", "dead_letter"},
             "What happens to one event that no retry can deliver: `stop` ends the pipeline there, "
             "`dead_letter` keeps it with the reason in the dead letters and goes on. Needs "
             "`[pipeline.dead_letters]`."),
      duration("drain_timeout", "10s", 0, kHourMs,
               "How long a stop waits for what is being written. What isn't finished then comes again at the "
               "next start."),
      duration("read_wait", "1s", 10, kMinuteMs,
               "How long the source waits for an event before it reports an idle stream; events themselves "
               "come at once."),
  };
  return spec;
}

ComponentSpec make_log_spec() {
  ComponentSpec spec;
  spec.kind = "log";
  spec.summary = "The program's log: on standard error, or in a file.";
  spec.fields = {with_default(choice("level", {"debug", "info", "warn", "error", "off"},
                                     "The least important messages that are shown."),
                              "info"),
                 with_example(text("file",
                                   "Appended to instead of standard error. After moving it away, send the "
                                   "process SIGHUP: it opens the file anew under its name."),
                              "\"/var/log/tidemark.log\"")};
  return spec;
}

}  // namespace

const ComponentSpec& pipeline_spec() {
  static const ComponentSpec spec = make_pipeline_spec();
  return spec;
}

const ComponentSpec& log_spec() {
  static const ComponentSpec spec = make_log_spec();
  return spec;
}

}  // namespace tidemark::config
