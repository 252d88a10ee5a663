#include "cli/demo_data.h"

#include <set>

namespace tidemark::cli {
namespace {

constexpr uint64_t kFileBytesMax = 64ull << 20;
constexpr const char* kHint =
    "`make deps` installs it (npm package vega-datasets); --data FILE names another GeoJSON file of the USGS";

// Times arrive as milliseconds and become dates, the rest stays as it is.
void append_properties(bson::View properties, bson::Builder& out) {
  for (const bson::Element property : properties) {
    const auto ms = property.integer();
    if (ms && (property.key() == "time" || property.key() == "updated")) {
      out.append_date(property.key(), *ms);
    } else {
      out.append(property.key(), property);
    }
  }
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
    const bson::View view = feature.document();
    const auto id = view.find("id");
    const auto properties = view.find("properties");
    const auto geometry = view.find("geometry");
    if (!id || !id->is_string() || !properties || !properties->is_document() || !geometry) continue;
    std::string name(id->string());
    if (!seen.insert(name).second) continue;
    bson::Builder document;
    document.append("_id", name);
    append_properties(properties->document(), document);
    document.append("geometry", *geometry);
    quakes.push_back({std::move(name), document.finish()});
  }
  if (quakes.empty())
    return fail(React::kConfig, "demo data " + path + " holds no earthquake with an id", kHint);
  return quakes;
}

}  // namespace tidemark::cli
