// What the sources of End share.
#pragma once

#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "chaos/ends.h"

namespace tidemark::chaos {

std::unique_ptr<End> make_sqlite_end(const RelayKind& kind, const Places& places, int index);
std::unique_ptr<End> make_postgres_end(const RelayKind& kind, const Places& places, int index);

// `v` of an event: of what an update set, else of the document; -1 where there is none.
int64_t version_of(const std::string& op, const nlohmann::json& document, const nlohmann::json& update);
// A row's text read back into the bytes that it stands for. Throws on text that isn't a document.
std::string bytes_of_json(const std::string& text);

inline const char* mode_of(const RelayKind& kind) { return kind.log ? "log" : "current"; }

}  // namespace tidemark::chaos
