// Short ways to write documents in this folder's tests. For tests only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "sandbox/store/command_error.h"

namespace tidemark::sandbox {

inline bson::Document parse(std::string_view json) {
  auto document = bson::Document::from_json(json);
  EXPECT_TRUE(document) << json << ": " << (document ? "" : document.error().what);
  return document ? *document : bson::Document();
}

// Relaxed Extended JSON by libbson, without depending on the renderer of bson/json.h.
inline std::string json(bson::View view) {
  if (!view) return "(none)";
  const bson_t raw = view.raw();
  char* text = bson_as_relaxed_extended_json(&raw, nullptr);
  std::string result = text;
  bson_free(text);
  return result;
}

inline std::string json(const std::vector<bson::Document>& documents) {
  std::string result;
  for (const bson::Document& document : documents) result += json(document.view()) + "\n";
  return result;
}

// `text` as libbson would print it, so that expectations may be written with any blanks.
inline std::string normal(std::string_view text) { return json(parse(text).view()); }

template <class T>
int code_of(const Reply<T>& reply) {
  return reply ? 0 : reply.error().code;
}

}  // namespace tidemark::sandbox
