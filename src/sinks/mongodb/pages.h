// A whole collection of the destination, page by page, so that no command grows with it: what clears and moves collections
// stands on this. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "bson/document.h"
#include "core/row_plan.h"
#include "mongo/client.h"

namespace tidemark::mongodb_sink {

struct PageOptions {
  int32_t documents_max = 1'000;  // of a page; the server ends one earlier at 16 MiB
  bson::View projection;          // empty: whole documents
};

// Hands out every document that is there from now until the end, in no order; `visit` may remove those that it is given. The
// views last until it returns; its error ends the pages. A collection that isn't there has none.
Status for_each_page(mongo::Client& client, const TableName& target, const PageOptions& options,
                     const std::function<Status(std::span<const bson::View> page)>& visit,
                     std::stop_token stop);

}  // namespace tidemark::mongodb_sink
