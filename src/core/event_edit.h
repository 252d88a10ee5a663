// Replacing parts of an event so that every sink sees the same: the parts and the whole change event (`raw`).
#pragma once

#include "base/result.h"
#include "bson/document.h"
#include "core/event.h"

namespace tidemark {

// New contents of an event's documents; "no document" leaves a part as it is. A part that the event doesn't have isn't
// added.
struct EventEdit {
  bson::View key;
  bson::View before;
  bson::View after;
  bson::View update;

  bool empty() const { return !key && !before && !after && !update; }
};

// Builds the change event anew in the batch's arena; afterwards every view of `event` points there, but for `received`,
// which keeps what came from the source. What the batch still holds of the old one is charged to `after_extra`.
Status apply_edit(Event& event, const EventEdit& edit, EventBatch& batch);

}  // namespace tidemark
