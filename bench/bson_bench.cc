// What one event costs between the server's reply and a row's text: the check, the walk, the rendering, and the way back
// that an audit goes. An insert of 440 bytes, as bench/run loads them.
#include <string>

#include <benchmark/benchmark.h>

#include "bson/json.h"
#include "core/event.h"

#if __has_include("bson/json_reader.h")
#include "bson/json_reader.h"
#define TIDEMARK_READS_JSON 1
#endif

namespace {

using tidemark::bson::Document;
using tidemark::bson::Element;
using tidemark::bson::JsonMode;
using tidemark::bson::View;

Document insert_event() {
  return *Document::from_json(
      R"({"_id":{"_data":"82654321000000000A2B022C0100296E5A1004AABBCCDDEEFF00112233445566778899"},"operationType":"insert",
          "clusterTime":{"$timestamp":{"t":1700000000,"i":7}},"wallTime":{"$date":{"$numberLong":"1700000000123"}},
          "ns":{"db":"shop","coll":"orders"},"documentKey":{"_id":{"$oid":"56e1fc72e0c917e9c4714161"}},
          "fullDocument":{"_id":{"$oid":"56e1fc72e0c917e9c4714161"},"customer":{"name":"Ann Example","email":"ann@example.org"},
            "total":{"$numberDecimal":"19.90"},"count":3,"big":{"$numberLong":"9007199254740993"},"ratio":0.25,"paid":true,
            "items":[{"sku":"A-1","n":1},{"sku":"B-22","n":2}],"note":"left at the door, thanks"}})");
}

size_t walk(View document) {
  size_t fields = 0;
  for (const Element field : document) {
    ++fields;
    if (field.is_document() || field.is_array()) fields += walk(field.document());
  }
  return fields;
}

void parse_walk_and_render(benchmark::State& state) {
  const Document raw = insert_event();
  std::string out;
  for (auto _ : state) {
#ifdef TIDEMARK_READS_JSON
    benchmark::DoNotOptimize(View::parse(raw.view().bytes()));  // what the source does with each reply
#endif
    const auto event = tidemark::parse_change_event(raw);
    benchmark::DoNotOptimize(walk(event->raw));
    out.clear();
    append_json(event->after, JsonMode::kCanonical, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetLabel(std::to_string(raw.size()) + " bytes");
}
BENCHMARK(parse_walk_and_render);

void walk_alone(benchmark::State& state) {
  const Document raw = insert_event();
  for (auto _ : state) benchmark::DoNotOptimize(walk(raw));
}
BENCHMARK(walk_alone);

void render_alone(benchmark::State& state) {
  const Document raw = insert_event();
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_json(raw, JsonMode::kCanonical, out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(render_alone);

#ifdef TIDEMARK_READS_JSON
void check_alone(benchmark::State& state) {
  const Document raw = insert_event();
  for (auto _ : state) benchmark::DoNotOptimize(View::parse(raw.view().bytes()));
}
BENCHMARK(check_alone);

void read_the_text_back(benchmark::State& state) {
  const std::string text = tidemark::bson::to_json(insert_event());
  for (auto _ : state) benchmark::DoNotOptimize(tidemark::bson::read_json(text));
  state.SetLabel(std::to_string(text.size()) + " bytes of text");
}
BENCHMARK(read_the_text_back);
#endif

}  // namespace
