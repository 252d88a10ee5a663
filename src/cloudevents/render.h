// Events as CloudEvents 1.0 in structured JSON, for sinks that publish. Pure functions; any thread.
#pragma once

#include <string>

#include "bson/document.h"
#include "core/event.h"

namespace tidemark::cloudevents {

// Whether `document` has the four required attributes of CloudEvents 1.0, and names that JSON can hold.
bool is_cloudevent(bson::View document);

// Appends a CloudEvent document as plain JSON, the inverse of what Parser makes: parsing the text gives the same BSON
// again. Types that JSON hasn't (a transform may have added them) become what a reader would expect: a date RFC 3339
// text, an ObjectId text, a Decimal128 text unless as a number it reads back as one, bytes base64. What is left, a double that
// isn't finite, bytes that are not UTF-8 and an array whose keys don't count among it, becomes relaxed Extended JSON
// (bson/json.h): nothing is left out, and nothing becomes null.
void render(bson::View cloudevent, std::string& out);

// Appends a change event as a CloudEvent: id = Event::id, source "/mongodb/DB/COLL" (percent-encoded), type
// "tidemark.OP", time from the wall time, datacontenttype application/json, data = {ns, to, key, document, update} in
// relaxed Extended JSON, each as far as the event has it.
void render_change_event(const Event& event, std::string& out);

// Appends the message that stands for `event` at a broker: the payload as it was received, unless a transform edited
// the event; then its document where that is still a CloudEvent; else the change event as a CloudEvent.
void render_message(const Event& event, std::string& out);

}  // namespace tidemark::cloudevents
