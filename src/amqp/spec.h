// The configuration fields that everything that speaks to RabbitMQ has in common, and what they mean. Used by the specs and
// the factories of the components; pure functions.
#pragma once

#include <string>
#include <vector>

#include "amqp/types.h"
#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"

namespace tidemark::amqp {

// uri, tls_ca, tls_certificate, tls_key, tls_verify, heartbeat, connect_timeout.
std::vector<config::FieldSpec> connection_fields();
// declare, queue_type.
std::vector<config::FieldSpec> declare_fields();

// What connection_fields() say. `name` begins every message of the session: "rabbitmq source 'process'". Errors are kConfig
// and name the field.
Result<ConnectionOptions> connection_options(const config::Settings& settings, std::string name);

struct DeclareOptions {
  bool declare = true;
  QueueType queue_type = QueueType::kQuorum;
};
DeclareOptions declare_options(const config::Settings& settings);

// kConfig when the setting is longer than AMQP can say (255 bytes); names begin with "amq." only where they exist already.
Status check_name(const config::Settings& settings, const std::string& field);

}  // namespace tidemark::amqp
