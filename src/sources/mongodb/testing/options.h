// The options with which the tests of this folder make a source: the collection shop.orders of the server at `uri`, whole.
#pragma once

#include <chrono>
#include <string>

#include "sources/mongodb/stream_source.h"

namespace tidemark::mongodb {

inline SourceOptions options_for(const std::string& uri) {
  SourceOptions options;
  options.pipeline = "orders";
  options.driver.uri = uri;
  options.driver.app_name = "test";
  // A fake server answers at once, if the machine lets it.
  options.driver.server_selection_timeout = std::chrono::milliseconds(2000);
  options.stream.database = "shop";
  options.stream.collection = "orders";
  options.stream.stages = bson::Builder().finish();
  return options;
}

}  // namespace tidemark::mongodb
