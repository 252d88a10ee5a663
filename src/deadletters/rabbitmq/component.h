// Dead letters at a RabbitMQ broker: the store `rabbitmq`, and the three strikes before it. A letter whose event was
// tried fewer than `attempts_max` times goes back to `retry_queue` with the count in x-retry-count; after that, or when
// it can't even be read, it goes to the dead-letter queue with reason, origin and time in its headers. Made by the
// composition root; one thread at a time. The running pipeline and the commands that list, retry and discard each
// have a store, and a connection, of their own.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const DeadLettersComponent& rabbitmq_dead_letters_component();

}  // namespace tidemark
