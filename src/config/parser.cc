#include "config/parser.h"

#include <algorithm>
#include <set>

#include "base/uri.h"
#include "config/guard_reader.h"
#include "config/pipeline_spec.h"
#include "config/table_reader.h"

namespace tidemark::config {
namespace {

constexpr size_t kNameMax = 64;

bool is_pipeline_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameMax && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

LogLevel log_level_from(std::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warn") return LogLevel::kWarn;
  if (name == "error") return LogLevel::kError;
  if (name == "off") return LogLevel::kOff;
  return LogLevel::kInfo;
}

// Reads one file; used once.
class Parser {
 public:
  Parser(Report& report, const SpecLookup& specs, const Environment& environment)
      : report_(report), specs_(specs), reader_(report, environment) {}

  void read(const toml::table& root, File& file) {
    for (const auto& [key, node] : root) {
      if (key == "pipeline")
        read_pipelines(node, file);
      else if (key == "log")
        read_log(node, file);
      else if (key == "server")
        read_server(node, file);
      else if (key == "stats")
        read_stats(node, file);
      else if (key != "guard")
        report_.error(place_of(key.source()), std::string(key.str()),
                      "unknown key \"" + std::string(key.str()) + "\"",
                      suggest(key.str(), {"pipeline", "log", "server", "stats", "guard"}));
    }
    // Last, wherever it stands: it speaks of the pipelines.
    if (const toml::node* guard = root.get("guard"))
      file.guard = GuardReader(report_, specs_, reader_, file).read(*guard);
    if (!root.contains("pipeline") && report_.errors() == 0)
      report_.error({}, {}, "the file has no pipeline", "begin one with [[pipeline]]");
  }

 private:
  void read_log(const toml::node& node, File& file) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return wrong_shape(node, "log", "[log]");
    const Settings log = reader_.read(*table, log_spec(), "log", {});
    file.log_level = log_level_from(log.string("level"));
    file.log_file = log.string("file");
  }

  void read_server(const toml::node& node, File& file) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return wrong_shape(node, "server", "[server]");
    const ComponentSpec* spec = specs_.find("server", "");
    if (spec == nullptr) return report_.error(place_of(node), "server", "this program has no server");
    file.server = reader_.read(*table, *spec, "server", {});
  }

  void read_stats(const toml::node& node, File& file) {
    const toml::array* array = node.as_array();
    if (array == nullptr) return wrong_shape(node, "stats", "[[stats]], in double brackets");
    if (array->size() > kStatsMax)
      return report_.error(place_of(node), "stats",
                           "there are more than " + std::to_string(kStatsMax) + " stats");
    for (const toml::node& item : *array) file.stats.push_back(read_component(item, "stats"));
  }

  void read_pipelines(const toml::node& node, File& file) {
    const toml::array* array = node.as_array();
    if (array == nullptr) return wrong_shape(node, "pipeline", "[[pipeline]], in double brackets");
    if (array->size() > kPipelinesMax)
      return report_.error(place_of(node), "pipeline",
                           "there are more than " + std::to_string(kPipelinesMax) + " pipelines",
                           "put them into several files");
    for (const toml::node& item : *array) {
      if (const toml::table* table = item.as_table())
        file.pipelines.push_back(read_pipeline(*table));
      else
        wrong_shape(item, "pipeline", "[[pipeline]], in double brackets");
    }
  }

  PipelineConfig read_pipeline(const toml::table& table) {
    static const std::vector<std::string> kTables = {"source", "sink", "transform", "position",
                                                     "dead_letters"};
    PipelineConfig pipeline;
    pipeline.frame = reader_.read(table, pipeline_spec(), "pipeline", kTables);
    pipeline.where = pipeline.frame.where();
    pipeline.name = pipeline.frame.string("name");
    check_name(table, pipeline.name);
    pipeline.source = read_required(table, "source");
    pipeline.sink = read_required(table, "sink");
    if (const toml::node* node = table.get("position")) pipeline.position = read_component(*node, "position");
    if (const toml::node* node = table.get("dead_letters"))
      pipeline.dead_letters = read_component(*node, "dead_letters");
    if (const toml::node* node = table.get("transform")) read_transforms(*node, pipeline);
    check_frame(table, pipeline);
    return pipeline;
  }

  void check_name(const toml::table& table, const std::string& name) {
    const toml::node* node = table.get("name");
    if (node == nullptr || name.empty()) return;  // reported as missing, empty or of the wrong type
    if (!is_pipeline_name(name))
      return report_.error(place_of(*node), "pipeline.name",
                           "\"" + name.substr(0, kNameMax) + "\" is no pipeline name",
                           "lower-case letters, digits, - and _, at most 64 of them");
    if (!names_.insert(name).second)
      report_.error(place_of(*node), "pipeline.name", "there is another pipeline \"" + name + "\" above",
                    "each needs a name of its own, because its position is kept under it");
  }

  // What two fields say together.
  void check_frame(const toml::table& table, const PipelineConfig& pipeline) {
    const Settings& frame = pipeline.frame;
    // A field without a value was reported already.
    const auto both = [&](const char* a, const char* b) { return frame.has(a) && frame.has(b); };
    if (both("retry_max", "retry_initial") && frame.duration("retry_max") < frame.duration("retry_initial"))
      frame_error(table, "retry_max", "is shorter than retry_initial");
    if (both("in_flight_bytes_max", "batch_bytes_max") &&
        frame.bytes("in_flight_bytes_max") < frame.bytes("batch_bytes_max"))
      frame_error(table, "in_flight_bytes_max", "is smaller than batch_bytes_max");
    const bool keeps_letters = frame.string("on_reject") == "dead_letter";
    const toml::node* letters = table.get("dead_letters");
    if (keeps_letters && letters == nullptr)
      frame_error(table, "on_reject", "\"dead_letter\" needs a place for them",
                  "add [pipeline.dead_letters]");
    if (!keeps_letters && letters != nullptr)
      report_.warning(place_of(*letters), "pipeline.dead_letters", "nothing ever goes there",
                      "set on_reject = \"dead_letter\" in [[pipeline]]");
  }

  void frame_error(const toml::table& table, const char* field, std::string what, std::string hint = {}) {
    const toml::node* node = table.get(field);
    report_.error(place_of(node != nullptr ? *node : table), std::string("pipeline.") + field,
                  std::move(what), std::move(hint));
  }

  void read_transforms(const toml::node& node, PipelineConfig& pipeline) {
    const toml::array* array = node.as_array();
    if (array == nullptr)
      return wrong_shape(node, "pipeline.transform", "[[pipeline.transform]], in double brackets");
    if (array->size() > kTransformsMax)
      return report_.error(place_of(node), "pipeline.transform",
                           "there are more than " + std::to_string(kTransformsMax) + " transforms");
    for (const toml::node& item : *array) pipeline.transforms.push_back(read_component(item, "transform"));
  }

  Component read_required(const toml::table& table, const std::string& kind) {
    if (const toml::node* node = table.get(kind)) return read_component(*node, kind);
    report_.error(place_of(table), "pipeline", "the pipeline has no " + kind, "add [pipeline." + kind + "]");
    return {};
  }

  Component read_component(const toml::node& node, const std::string& kind) {
    Component component;
    const std::string path = kind == "stats" ? kind : "pipeline." + kind;
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      wrong_shape(node, path, kind == "stats" ? "[[stats]]" : "[" + path + "]");
      return component;
    }
    const toml::node* type = table->get("type");
    if (type == nullptr) {
      report_.error(place_of(*table), path, "`type` is missing", list_types(kind));
      return component;
    }
    component.type = reader_.read_string(*type, path + ".type");
    if (component.type.empty()) return component;
    component.spec = specs_.find(kind, component.type);
    if (component.spec == nullptr) {
      report_.error(place_of(*type), path + ".type",
                    "there is no " + kind + " of type \"" + component.type + "\"",
                    suggest(component.type, specs_.types(kind)));
      return component;
    }
    component.settings = reader_.read(*table, *component.spec, path, {"type"});
    return component;
  }

  std::string list_types(const std::string& kind) const {
    std::string text;
    for (const std::string& type : specs_.types(kind)) text += (text.empty() ? "one of " : ", ") + type;
    return text;
  }

  void wrong_shape(const toml::node& node, std::string path, const std::string& shape) {
    report_.error(place_of(node), std::move(path), "is " + describe_node(node) + " here",
                  "write it as " + shape);
  }

  Report& report_;
  const SpecLookup& specs_;
  TableReader reader_;
  std::set<std::string> names_;
};

}  // namespace

const ComponentSpec* SpecList::find(std::string_view kind, std::string_view type) const {
  const auto it = specs_.find({std::string(kind), std::string(type)});
  return it == specs_.end() ? nullptr : it->second;
}

std::vector<std::string> SpecList::types(std::string_view kind) const {
  std::vector<std::string> types;
  for (const auto& [key, spec] : specs_) {
    if (key.first == kind) types.push_back(key.second);
  }
  return types;
}

const PipelineConfig* File::find(std::string_view name) const {
  const auto it = std::find_if(pipelines.begin(), pipelines.end(),
                               [&](const PipelineConfig& pipeline) { return pipeline.name == name; });
  return it == pipelines.end() ? nullptr : &*it;
}

ParseResult parse(std::string path, std::string_view text, const SpecLookup& specs,
                  const Environment& environment) {
  Report report(path);
  File file;
  file.path = std::move(path);
  if (text.size() > kConfigBytesMax) {
    report.error({}, {}, "the file is larger than " + std::to_string(kConfigBytesMax) + " bytes");
  } else {
    try {
      const toml::table root = toml::parse(text);
      Parser(report, specs, environment).read(root, file);
    } catch (const toml::parse_error& error) {
      // It quotes what it stumbled over, and that may be a password without its quotes.
      report.error(place_of(error.source()), {}, without_quotations(error.description()),
                   "this is not TOML; toml.io tells how it is written");
    }
  }
  ParseResult result;
  if (report.errors() == 0) result.file = std::move(file);
  result.diagnostics = report.take();
  return result;
}

}  // namespace tidemark::config
