// What the tests of this folder share: settings.
#pragma once

#include <string>

#include "config/settings.h"
#include "env/posix/clock.h"
#include "env/posix/file_system.h"
#include "sinks/rabbitmq/component.h"
#include "support/lossy_proxy.h"
#include "support/rabbitmq.h"

namespace tidemark::testing {

inline config::Settings rabbitmq_settings(const std::string& uri, const std::string& queue,
                                          const std::string& queue_type = "classic") {
  config::Settings settings;
  settings.set_where("test.toml:1:1, pipeline.sink");
  settings.set("uri", uri);
  settings.set("tls_verify", true);
  settings.set("connect_timeout", int64_t{5000});
  settings.set("declare", true);
  settings.set("queue_type", queue_type);
  settings.set("exchange", "x." + queue);
  settings.set("exchange_type", std::string("direct"));
  settings.set("routing_key", std::string("events"));
  settings.set("queue", queue);
  settings.set("queue_max_length", int64_t{0});
  settings.set("confirm_timeout", int64_t{10'000});
  return settings;
}

}  // namespace tidemark::testing
