#include "guard/settings.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "config/fields.h"
#include "config/units.h"

namespace tidemark::guard {
namespace {

using config::ComponentSpec;
using namespace config::fields;

constexpr int64_t kSecondMs = 1000, kHourMs = 3'600'000, kDayMs = 24 * kHourMs;
constexpr int64_t kMiB = 1 << 20;

ComponentSpec make_guard_spec() {
  ComponentSpec spec;
  spec.kind = "guard";
  spec.summary =
      "The guard looks at every pipeline from outside, on connections of its own: at the stored position, "
      "the source's deployment and both ends' content. It trusts nothing that the pipeline says of itself "
      "where it can ask somebody else. Inside `tidemark run`, or apart as `tidemark guard FILE`, which sees "
      "what `run` on a machine that died can't tell any more.";
  spec.fields = {
      duration("interval", "10s", 100, kHourMs, "Between two looks at a pipeline."),
      flag("enabled", true,
           "Whether `tidemark run` has a guard inside. `tidemark guard FILE` runs it in any case."),
      duration("resume_max", "10m", 0, kDayMs,
               "How long a pipeline may take to resume: the server may scan its oplog for minutes before it "
               "answers the open or the first read, and the position stands still meanwhile. Longer, and "
               "`position_stuck`, `lag` and `oplog_window` count again."),
      with_example(text("state",
                        "A folder where long audits keep their progress and their last results, so that a "
                        "restart goes on from there. Empty: in memory only."),
                   "\"guard-state\"")};
  return spec;
}

ComponentSpec make_rule_spec() {
  ComponentSpec spec;
  spec.kind = "guard_rule";
  spec.summary =
      "Another limit for one of the built-in alerts. What isn't given keeps its default; of several tables "
      "for one alert and pipeline, later ones win.";
  spec.fields = {required(optional_choice("alert", rule_names(), "The alert's name."), "\"lag\""),
                 with_example(text("pipeline", "The pipeline it is for. Default: every one."), "\"orders\""),
                 with_example(quantity("threshold",
                                       "The figure beyond which it counts, in the alert's own unit: a "
                                       "duration (`\"60s\"`, or a number of seconds), a ratio from 0 to 1, "
                                       "or a number. The figure below which it clears keeps its distance."),
                              "\"60s\""),
                 with_example(duration("for", "", 0, kDayMs, "How long it must hold before the alert fires."),
                              "\"30s\""),
                 with_example(duration("clear", "", 0, kDayMs,
                                       "How long it must have been over before the alert resolves."),
                              "\"30s\""),
                 with_example(optional_choice("severity", {"warning", "critical"},
                                              "What the notice says of its weight."),
                              "\"critical\""),
                 flag("enabled", true, "`false` turns the alert off.")};
  return spec;
}

ComponentSpec make_audit_spec() {
  ComponentSpec spec;
  spec.kind = "guard_audit";
  spec.summary =
      "Compares both ends of a pipeline document by document, on a schedule and by `tidemark audit FILE`. A "
      "difference counts only when the stored position has passed it and it was seen twice, so that what is "
      "under way is no difference.";
  spec.fields = {
      required(
          text("pipeline", "A pipeline of this file, from MongoDB to `sqlite`, `postgres` or `mongodb`."),
          "\"orders\""),
      with_default(choice("kind", {"count", "checksum"},
                          "`count` counts the documents of each bucket; `checksum` compares their content "
                          "too, types included."),
                   "checksum"),
      duration("every", "10m", 0, 365 * kDayMs,
               "Between the beginnings of two runs; `0s`: only by hand. One audit runs at a time, so a long "
               "one makes the others wait."),
      duration("bucket", "1h", kSecondMs, 366 * kDayMs, "The width of a bucket of time."),
      text("bucket_field", "_id",
           "The date that a document's bucket goes by: a dotted path, or `_id` for the time inside an "
           "ObjectId. Documents without one share a bucket."),
      number("tolerance", "0", 0, 1'000'000'000'000,
             "By how many documents a bucket of a `count` audit may differ."),
      number("rate", "0", 0, 100'000'000,
             "Documents a second that are read at each end; 0: as fast as it goes."),
      flag("pushdown", true, "Let the servers count and sum where they can; `rate` doesn't bound that."),
      number("rechecks", "5", 2, 1000,
             "How often a difference that keeps moving is looked at before it is called unsettled."),
      duration("recheck_after", "2s", 0, kHourMs, "Between two looks at a difference."),
      bytes("memory", "64MiB", kMiB, 65'536 * kMiB, "What a drill-down may hold at a time.")};
  return spec;
}

Result<double> parse_threshold(const config::Settings& settings, const RuleSpec& spec) {
  const std::string& text = settings.string("threshold");
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = code == std::errc() && end == text.data() + text.size() && std::isfinite(number);
  if (spec.unit == Unit::kSeconds) {
    if (const auto ms = config::parse_duration_ms(text)) return static_cast<double>(*ms) / 1000;
  }
  if (!is_number) {
    const bool takes_duration = spec.unit == Unit::kSeconds;
    return fail(settings.error("threshold", "\"" + text + "\" is no threshold of " + std::string(spec.name),
                               takes_duration
                                   ? "write a duration, such as \"60s\""
                                   : "it is in " + std::string(to_string(spec.unit)) +
                                         ": write a number, such as " + fmt::format("{}", spec.threshold)));
  }
  if (number < 0) return fail(settings.error("threshold", text + " is below 0", "write 0 or more"));
  if (spec.unit == Unit::kRatio && number > 1)
    return fail(settings.error("threshold", text + " is no ratio", "write a number from 0 to 1"));
  return number;
}

std::string patience(const std::optional<std::chrono::milliseconds>& given) {
  if (!given) return "two looks";
  return given->count() == 0 ? "at once" : config::format_duration_ms(given->count());
}

}  // namespace

const ComponentSpec& guard_spec() {
  static const ComponentSpec spec = make_guard_spec();
  return spec;
}

const ComponentSpec& guard_rule_spec() {
  static const ComponentSpec spec = make_rule_spec();
  return spec;
}

const ComponentSpec& guard_audit_spec() {
  static const ComponentSpec spec = make_audit_spec();
  return spec;
}

Result<GuardFrame> guard_frame(const config::Settings& settings) {
  return GuardFrame{.interval = settings.duration("interval"),
                    .resume_max = settings.duration("resume_max"),
                    .enabled = settings.boolean("enabled"),
                    .state = settings.string("state")};
}

Result<RuleOverride> rule_override(const config::Settings& settings) {
  const RuleSpec* spec = find_rule(settings.string("alert"));
  if (spec == nullptr)
    return fail(settings.error("alert", "there is no alert \"" + settings.string("alert") + "\""));
  RuleOverride given;
  given.rule = spec->id;
  given.pipeline = settings.string("pipeline");
  given.enabled = settings.boolean("enabled");
  if (settings.has("threshold")) {
    TIDEMARK_ASSIGN(given.threshold, parse_threshold(settings, *spec));
  }
  if (settings.has("for")) given.for_ms = settings.duration("for");
  if (settings.has("clear")) given.clear_ms = settings.duration("clear");
  if (settings.has("severity"))
    given.severity = settings.string("severity") == "critical" ? Severity::kCritical : Severity::kWarning;
  return given;
}

Result<ScheduledAudit> scheduled_audit(const config::Settings& settings) {
  ScheduledAudit audit;
  audit.pipeline = settings.string("pipeline");
  audit.every = settings.duration("every");
  AuditOptions& options = audit.options;
  options.kind = settings.string("kind") == "count" ? AuditKind::kCount : AuditKind::kChecksum;
  options.buckets.field = settings.string("bucket_field");
  options.buckets.width_ms = settings.duration("bucket").count();
  options.tolerance = static_cast<uint64_t>(settings.integer("tolerance"));
  options.rate = static_cast<double>(settings.integer("rate"));
  options.pushdown = settings.boolean("pushdown");
  options.rechecks = static_cast<int>(settings.integer("rechecks"));
  options.recheck_after_ms = settings.duration("recheck_after").count();
  options.memory_bytes_max = static_cast<size_t>(settings.bytes("memory"));
  if (options.buckets.field.empty())
    return fail(settings.error("bucket_field", "is empty", "write a dotted path, or _id"));
  if (options.tolerance > 0 && options.kind != AuditKind::kCount)
    return fail(
        settings.error("tolerance", "belongs to a count audit", "leave it out, or write kind = \"count\""));
  return audit;
}

std::string rules_table() {
  std::string out = "| alert | severity | fires | after | clears | after |\n|---|---|---|---|---|---|\n";
  for (const RuleSpec& spec : rule_specs()) {
    out += fmt::format("| `{}` | {} | {} {} | {} | {} {} | {} |\n", spec.name, to_string(spec.severity),
                       spec.below ? "below" : "above", format_figure(spec.threshold, spec.unit),
                       patience(spec.for_ms), spec.below ? "from" : "at or below",
                       format_figure(spec.clearing, spec.unit), patience(spec.clear_ms));
  }
  return out;
}

}  // namespace tidemark::guard
