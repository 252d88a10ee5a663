// Moving one field of a document to another path, in whole documents and in an update's description. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace tidemark {

struct Rename {
  std::string from;
  std::string to;
  std::vector<std::string> from_parts;
  std::vector<std::string> to_parts;
};

// `document` with the field moved; itself when it has no such field. Documents on the way to the new place are made,
// one that stands there is replaced. kReject when something on the way is no document. As in MongoDB's $rename, paths
// don't go through arrays.
Result<bson::Document> rename_field(const bson::Document& document, const Rename& rename);

// What an update set and removed, by dotted names.
struct UpdateNames {
  struct Set {
    std::string name;
    bson::Document value;  // {"": value}
  };
  std::vector<Set> set;
  std::vector<std::string> removed;
};

// The same, as if the field had been under its new name all along.
void rename_in_update(UpdateNames& update, const Rename& rename);

// `name` under its new path; itself when the rename doesn't touch it.
std::string renamed(const std::string& name, const Rename& rename);

}  // namespace tidemark
