// Dead letters at a RabbitMQ broker: the store `rabbitmq`, and the three strikes before it. A letter whose event was
// tried fewer than `attempts_max` times goes back to `retry_queue` with the count in x-retry-count; after that, or when
// it can't even be read, it goes to the dead-letter queue with reason, origin and time in its headers. Made by the
// composition root; one thread at a time. The running pipeline and the commands that list, retry and discard each
// have a store, and a connection, of their own.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/field_spec.h"
#include "config/settings.h"
#include "core/component.h"
#include "core/dead_letters.h"

namespace tidemark {

config::ComponentSpec rabbitmq_dead_letters_spec();

Result<std::unique_ptr<DeadLetterStore>> make_rabbitmq_dead_letters(const config::Settings& settings,
                                                                    const ComponentContext& context);

}  // namespace tidemark
