// JSON Lines in a file: one change event a line, rotated by size.
//
// A batch is one write and one sync, and counts only after both. What a crash left behind the last whole line
// is cut at open; after a failed write the file is cut back to what is known to be durable, so a line is
// never torn in its middle and a reader that reads whole lines reads only events. A replayed event is a
// second line with the same `_id`. Each batch counts only once the path was seen to lead to the file that
// holds it: one that was moved, removed or cut short meanwhile is opened again and written again. One lane, one
// thread.
#pragma once

#include "registry/declarations.h"

namespace tidemark {

const SinkComponent& file_sink_component();

}  // namespace tidemark
