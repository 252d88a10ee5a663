#include "config/guard_reader.h"

#include <map>

namespace tidemark::config {

void GuardReader::wrong_shape(const toml::node& node, const std::string& path, const std::string& shape) {
  report_.error(place_of(node), path, "is " + describe_node(node) + " here", "write it as " + shape);
}

void GuardReader::check_pipeline(const toml::table& table, const Settings& settings,
                                 const std::string& path) {
  const std::string& name = settings.string("pipeline");
  if (name.empty() || file_.find(name) != nullptr) return;  // what is missing was reported already
  std::vector<std::string> names;
  for (const PipelineConfig& pipeline : file_.pipelines) names.push_back(pipeline.name);
  const toml::node* node = table.get("pipeline");
  report_.error(place_of(node != nullptr ? *node : table), path + ".pipeline",
                "this file has no pipeline \"" + name + "\"", suggest(name, names));
}

template <class Check>
std::vector<Settings> GuardReader::read_tables(const toml::table& guard, const std::string& key,
                                               size_t tables_max, Check check) {
  std::vector<Settings> all;
  const toml::node* node = guard.get(key);
  if (node == nullptr) return all;
  const std::string path = "guard." + key;
  const std::string shape = "[[" + path + "]], in double brackets";
  const ComponentSpec* spec = specs_.find("guard_" + key, "");
  if (spec == nullptr) {
    report_.error(place_of(*node), path, "this program has no " + path);
    return all;
  }
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    wrong_shape(*node, path, shape);
    return all;
  }
  if (array->size() > tables_max) {
    report_.error(place_of(*node), path,
                  "there are more than " + std::to_string(tables_max) + " tables " + path);
    return all;
  }
  for (const toml::node& item : *array) {
    const toml::table* table = item.as_table();
    if (table == nullptr) {
      wrong_shape(item, path, shape);
      continue;
    }
    all.push_back(reader_.read(*table, *spec, path, {}));
    check(*table, all.back(), path);
  }
  return all;
}

GuardConfig GuardReader::read(const toml::node& node) {
  GuardConfig config;
  const toml::table* table = node.as_table();
  const ComponentSpec* spec = specs_.find("guard", "");
  if (table == nullptr) {
    wrong_shape(node, "guard", "[guard]");
    return config;
  }
  if (spec == nullptr) {
    report_.error(place_of(node), "guard", "this program has no guard");
    return config;
  }
  config.frame = reader_.read(*table, *spec, "guard", {"rule", "webhook", "audit"});
  config.rules = read_tables(*table, "rule", kGuardRulesMax,
                             [this](const toml::table& rule, const Settings& settings, const auto& path) {
                               check_pipeline(rule, settings, path);
                             });
  config.webhooks = read_tables(*table, "webhook", kGuardWebhooksMax, [](const auto&...) {});
  std::map<std::pair<std::string, std::string>, std::string> seen;  // pipeline and kind, to where it stands
  config.audits = read_tables(
      *table, "audit", kGuardAuditsMax,
      [&](const toml::table& audit, const Settings& settings, const auto& path) {
        check_pipeline(audit, settings, path);
        const std::string& pipeline = settings.string("pipeline");
        const auto [other, is_new] = seen.try_emplace({pipeline, settings.string("kind")}, settings.where());
        if (is_new || pipeline.empty()) return;
        report_.error(place_of(audit), path,
                      "pipeline \"" + pipeline + "\" has another " + settings.string("kind") + " audit, at " +
                          other->second,
                      "keep one; the other kind may stand beside it");
      });
  return config;
}

}  // namespace tidemark::config
