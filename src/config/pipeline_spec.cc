#include "config/pipeline_spec.h"

namespace tidemark::config {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kMinuteMs = 60'000;
constexpr int64_t kHourMs = 60 * kMinuteMs;

FieldSpec duration(std::string name, std::string default_text, int64_t min_ms, int64_t max_ms,
                   std::string doc) {
  return {.name = std::move(name),
          .type = FieldType::kDuration,
          .doc = std::move(doc),
          .default_text = std::move(default_text),
          .min = min_ms,
          .max = max_ms};
}

FieldSpec bytes(std::string name, std::string default_text, int64_t max, std::string doc) {
  return {.name = std::move(name),
          .type = FieldType::kBytes,
          .doc = std::move(doc),
          .default_text = std::move(default_text),
          .min = 1024,
          .max = max};
}

FieldSpec integer(std::string name, std::string default_text, int64_t max, std::string doc) {
  return {.name = std::move(name),
          .type = FieldType::kInteger,
          .doc = std::move(doc),
          .default_text = std::move(default_text),
          .min = 1,
          .max = max};
}

ComponentSpec make_pipeline_spec() {
  ComponentSpec spec;
  spec.kind = "pipeline";
  spec.summary =
      "One pipeline is one source, one sink and one position. Fan-out is several pipelines, so that a slow "
      "sink "
      "never holds another's position.";
  spec.fields = {
      {.name = "name",
       .doc = "The pipeline's name in commands, messages and stored positions: lower-case letters, digits, "
              "`-` and "
              "`_`, at most 64. Changing it makes it another pipeline, with a position of its own.",
       .required = true,
       .example = "\"orders\""},
      integer(
          "lanes", "1", 64,
          "How many writers the sink has. Events of one document always take the same lane, so their order "
          "stays. A sink that keeps the position in its own transaction, or writes one file, has one lane."),
      integer("batch_events_max", "1000", 100'000, "The most events of one write."),
      bytes("batch_bytes_max", "4MiB", 256 * kMiB,
            "The most bytes of one write; a single larger event goes alone."),
      bytes("in_flight_bytes_max", "8MiB", 4096 * kMiB,
            "Reading pauses while this much was read and is not yet durable. It bounds the memory of a "
            "pipeline whose "
            "sink is slower than its source."),
      integer("unsaved_events_max", "100000", 10'000'000,
              "Reading pauses while this many events are durable at the sink and their position is not yet "
              "saved: "
              "the most that a crash can make the sink see twice."),
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
      {.name = "on_reject",
       .type = FieldType::kEnum,
       .doc = "What happens to one event that no retry can deliver: `stop` ends the pipeline there, "
              "`dead_letter` "
              "keeps it with the reason in the dead letters and goes on. Needs `[pipeline.dead_letters]`.",
       .default_text = "stop",
       .choices = {"stop", "dead_letter"}},
      duration(
          "drain_timeout", "10s", 0, kHourMs,
          "How long a stop waits for what is being written. What isn't finished then comes again at the next "
          "start."),
      duration("read_wait", "1s", 10, kMinuteMs,
               "How long the source waits for an event before it reports an idle stream; events themselves "
               "come at "
               "once."),
  };
  return spec;
}

ComponentSpec make_log_spec() {
  ComponentSpec spec;
  spec.kind = "log";
  spec.summary = "The program's log: on standard error, or in a file.";
  spec.fields = {
      {.name = "level",
       .type = FieldType::kEnum,
       .doc = "The least important messages that are shown.",
       .default_text = "info",
       .choices = {"debug", "info", "warn", "error", "off"}},
      {.name = "file",
       .doc =
           "Appended to instead of standard error. After moving it away, send the process SIGHUP: it opens "
           "the file anew under its name.",
       .example = "\"/var/log/tidemark.log\""}};
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
