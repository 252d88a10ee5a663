// Specs of invented components with a field of every type, for tests and the fuzzer of src/config.
#pragma once

#include <vector>

#include "config/parser.h"

namespace tidemark::testing {

// A pipeline of them that a parser takes.
inline constexpr std::string_view kSamplePipeline = R"(
[[pipeline]]
name = "orders"

[pipeline.source]
type = "sample"
uri  = "x://host"

[pipeline.sink]
type = "drain"
path = "out"
)";

inline const config::ComponentSpec& sample_source() {
  using enum config::FieldType;
  static const config::ComponentSpec spec{
      .kind = "source",
      .type = "sample",
      .summary = "A source that is none.",
      .fields = {
          {.name = "uri", .doc = "Where.", .required = true, .secret = true, .example = "\"x://host\""},
          {.name = "database", .doc = "Which."},
          {.name = "mode", .type = kEnum, .default_text = "fast", .choices = {"fast", "safe"}},
          {.name = "count", .type = kInteger, .default_text = "3", .min = 1, .max = 10},
          {.name = "expanded", .type = kBoolean, .default_text = "false"},
          {.name = "wait", .type = kDuration, .default_text = "1s", .min = 0, .max = 3'600'000},
          {.name = "buffer", .type = kBytes, .default_text = "64KiB", .max = int64_t{1} << 40},
          {.name = "paths", .type = kStringList},
          {.name = "rename", .type = kStringMap, .example = "{ a = \"b\" }"},
          {.name = "filter", .type = kJson},
          {.name = "password", .secret = true}}};
  return spec;
}

inline const config::ComponentSpec& sample_sink() {
  static const config::ComponentSpec spec{
      .kind = "sink",
      .type = "drain",
      .summary = "A sink that is none.",
      .fields = {{.name = "path", .doc = "Where to | drain.", .required = true}}};
  return spec;
}

inline const config::ComponentSpec& sample_transform() {
  static const config::ComponentSpec spec{
      .kind = "transform",
      .type = "shape",
      .fields = {{.name = "where", .type = config::FieldType::kJson, .required = true}}};
  return spec;
}

inline const config::ComponentSpec& sample_letters() {
  static const config::ComponentSpec spec{
      .kind = "dead_letters", .type = "box", .fields = {{.name = "path", .required = true}}};
  return spec;
}

inline const config::ComponentSpec& sample_stats() {
  static const config::ComponentSpec spec{
      .kind = "stats", .type = "counter", .fields = {{.name = "uri", .required = true, .secret = true}}};
  return spec;
}

inline const config::ComponentSpec& sample_server() {
  static const config::ComponentSpec spec{
      .kind = "server", .type = "", .fields = {{.name = "listen", .default_text = "127.0.0.1:8321"}}};
  return spec;
}

inline const std::vector<config::ComponentSpec>& sample_guard() {
  using enum config::FieldType;
  static const std::vector<config::ComponentSpec> specs{
      {.kind = "guard",
       .type = "",
       .fields = {{.name = "interval", .type = kDuration, .default_text = "10s"}}},
      {.kind = "guard_rule",
       .type = "",
       .fields = {{.name = "alert", .type = kEnum, .required = true, .choices = {"lag", "source_stalled"}},
                  {.name = "pipeline"},
                  {.name = "threshold", .type = kQuantity}}},
      {.kind = "guard_webhook",
       .type = "",
       .fields = {{.name = "url", .required = true},
                  {.name = "alerts", .type = kStringList, .choices = {"lag", "source_stalled"}}}},
      {.kind = "guard_audit",
       .type = "",
       .fields = {
           {.name = "pipeline", .required = true},
           {.name = "kind", .type = kEnum, .default_text = "checksum", .choices = {"count", "checksum"}}}}};
  return specs;
}

inline const config::SpecList& sample_specs() {
  static const config::SpecList specs = [] {
    config::SpecList list;
    for (const auto* spec : {&sample_source(), &sample_sink(), &sample_transform(), &sample_letters(),
                             &sample_stats(), &sample_server()})
      list.add(*spec);
    for (const auto& spec : sample_guard()) list.add(spec);
    return list;
  }();
  return specs;
}

}  // namespace tidemark::testing
