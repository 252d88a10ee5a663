#include "demo/data.h"

#include <set>

#include <fmt/format.h>

#include "bson/json.h"

namespace tidemark::demo {
namespace {

constexpr uint64_t kFileBytesMax = 64ull << 20;
constexpr const char* kHint =
    "`make deps` installs it (npm package vega-datasets); --data FILE names another GeoJSON file of the USGS";
constexpr const char* kSource = "urn:usgs:earthquakes";
constexpr const char* kType = "gov.usgs.earthquake";
constexpr int64_t kTimeMsMax = 253'402'300'799'000;  // the end of the year 9999

std::optional<double> number(const bson::Element& element) {
  if (const auto whole = element.integer()) return static_cast<double>(*whole);
  if (element.type() != BSON_TYPE_DOUBLE) return std::nullopt;
  return bson_iter_double(&element.iter());
}

std::optional<Quake> read_quake(bson::View feature) {
  const auto id = feature.find("id");
  const auto properties = feature.find("properties");
  if (!id || !id->is_string() || !properties || !properties->is_document()) return std::nullopt;
  const bson::View fields = properties->document();
  Quake quake;
  quake.id = id->string();
  quake.properties = bson::Document(fields);
  if (const auto mag = fields.find("mag")) quake.magnitude = number(*mag);
  if (const auto place = fields.find("place"); place && place->is_string()) quake.place = place->string();
  const auto time = fields.find("time");
  const auto ms = time ? time->integer() : std::nullopt;
  if (!ms || *ms < 0 || *ms > kTimeMsMax) return std::nullopt;
  quake.time_ms = *ms;
  return quake;
}

std::string envelope(const std::string& id, const std::string& type, int64_t time_ms, bson::View data) {
  std::string time;
  bson::append_rfc3339(time_ms, time);
  bson::Builder event;
  event.append("specversion", "1.0").append("id", id).append("source", kSource).append("type", type);
  event.append("time", time).append("datacontenttype", "application/json").append("data", data);
  return bson::to_json(event.view(), bson::JsonMode::kRelaxed);
}

}  // namespace

std::string default_quakes_path(const std::string& executable_folder) {
  return executable_folder + "/../../../node_modules/vega-datasets/data/earthquakes.json";
}

Result<std::vector<Quake>> load_quakes(FileSystem& files, const std::string& path) {
  TIDEMARK_ASSIGN(const bool there, files.exists(path));
  if (!there) return fail(React::kConfig, "demo data " + path + " does not exist", kHint);
  TIDEMARK_ASSIGN(const std::string text, files.read_file(path, kFileBytesMax));
  const auto parsed = bson::Document::from_json(text);
  if (!parsed) return fail(React::kConfig, "demo data " + path + ": " + parsed.error().what, kHint);
  const auto features = parsed->view().find("features");
  if (!features || !features->is_array())
    return fail(React::kConfig, "demo data " + path + " has no array \"features\": not a GeoJSON collection",
                kHint);

  std::vector<Quake> quakes;
  std::set<std::string> seen;
  for (const bson::Element feature : features->document()) {
    if (!feature.is_document()) continue;
    auto quake = read_quake(feature.document());
    if (quake && seen.insert(quake->id).second) quakes.push_back(std::move(*quake));
  }
  if (quakes.empty())
    return fail(React::kConfig, "demo data " + path + " holds no earthquake with an id and a time", kHint);
  return quakes;
}

std::string cloud_event_id(const Quake& quake, int64_t revision) {
  return fmt::format("{}.{}", quake.id, revision);
}

std::string cloud_event(const Quake& quake, int64_t revision, std::optional<double> revised_magnitude) {
  bson::Builder data;
  for (const bson::Element property : quake.properties.view()) {
    if (revised_magnitude && property.key() == "mag") {
      data.append("mag", *revised_magnitude);
    } else if (revised_magnitude && property.key() == "title") {
      data.append("title", fmt::format("M {:.1f} - {}", *revised_magnitude, quake.place));
    } else {
      data.append(property.key(), property);
    }
  }
  return envelope(cloud_event_id(quake, revision), kType, quake.time_ms, data.view());
}

// The processor renames a field `mark` into a document `place`, where a text stands.
std::string poisoned_event(int64_t number) {
  bson::Builder data;
  data.append("mag", 9.9).append("place", "nowhere: posted by the demo to fail").append("mark", number);
  return envelope(fmt::format("poisoned.{}", number), "gov.usgs.poisoned", 0, data.view());
}

}  // namespace tidemark::demo
