#include "app/audit_history.h"

#include <filesystem>

#include <nlohmann/json.hpp>

namespace tidemark::app {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kFileBytesMax = 1 << 20;

std::string path_of(const std::string& state, const std::string& pipeline, const std::string& kind) {
  return state + "/" + pipeline + "." + kind + ".last.json";
}

}  // namespace

std::optional<guard::AuditView> last_audit(FileSystem& files, const std::string& state,
                                           const std::string& pipeline, const std::string& kind) {
  if (state.empty()) return std::nullopt;
  const auto text = files.read_file(path_of(state, pipeline, kind), kFileBytesMax);
  if (!text) return std::nullopt;
  try {
    const Json json = Json::parse(*text);
    guard::AuditView view;
    view.pipeline = json.at("pipeline").get<std::string>();
    view.kind = json.at("kind").get<std::string>();
    view.duration_s = json.at("duration_s").get<double>();
    view.finished_at_ms = json.at("finished_at_ms").get<int64_t>();
    view.source_documents = json.at("source_documents").get<uint64_t>();
    view.destination_documents = json.at("destination_documents").get<uint64_t>();
    view.filtered_documents = json.at("filtered_documents").get<uint64_t>();
    view.missing = json.at("missing").get<uint64_t>();
    view.extra = json.at("extra").get<uint64_t>();
    view.different = json.at("different").get<uint64_t>();
    view.unsettled = json.at("unsettled").get<uint64_t>();
    // What an earlier version had no figure for.
    view.unreadable = json.value("unreadable", uint64_t{0});
    view.stale = json.value("stale", uint64_t{0});
    view.doubled = json.value("doubled", uint64_t{0});
    view.rejected_documents = json.value("rejected_documents", uint64_t{0});
    view.unaudited_collections = json.value("unaudited_collections", uint64_t{0});
    view.unexamined = json.value("unexamined", uint64_t{0});
    view.first_rejected = json.value("first_rejected", std::vector<std::string>());
    view.buckets = json.at("buckets").get<uint64_t>();
    view.buckets_differing = json.at("buckets_differing").get<uint64_t>();
    view.first_ids = json.at("first_ids").get<std::vector<std::string>>();
    if (view.pipeline != pipeline || view.kind != kind || view.finished_at_ms <= 0) return std::nullopt;
    return view;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

Status keep_audit(FileSystem& files, const std::string& state, const guard::AuditView& view) {
  if (state.empty()) return {};
  const Json json = {{"pipeline", view.pipeline},
                     {"kind", view.kind},
                     {"duration_s", view.duration_s},
                     {"finished_at_ms", view.finished_at_ms},
                     {"source_documents", view.source_documents},
                     {"destination_documents", view.destination_documents},
                     {"filtered_documents", view.filtered_documents},
                     {"missing", view.missing},
                     {"extra", view.extra},
                     {"different", view.different},
                     {"unsettled", view.unsettled},
                     {"unreadable", view.unreadable},
                     {"stale", view.stale},
                     {"doubled", view.doubled},
                     {"rejected_documents", view.rejected_documents},
                     {"unaudited_collections", view.unaudited_collections},
                     {"unexamined", view.unexamined},
                     {"first_rejected", view.first_rejected},
                     {"buckets", view.buckets},
                     {"buckets_differing", view.buckets_differing},
                     {"first_ids", view.first_ids}};
  // Ids are canonical JSON and so UTF-8, but for what a document may hold in spite of it.
  return files.replace_file(path_of(state, view.pipeline, view.kind),
                            json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

Status make_state_folder(const std::string& state) {
  if (state.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(state, error);
  if (!error) return {};
  return fail(React::kConfig, "can't make the guard's state folder " + state + ": " + error.message(),
              "name a folder that this user may write to in [guard] state");
}

}  // namespace tidemark::app
