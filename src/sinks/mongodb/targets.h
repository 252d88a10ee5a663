// What the destination's collections are: plain ones that hold what is written to them, or something else; the same ones as
// when this sink first saw them, or others under their names; and by which key they are sharded. One thread; belongs to one
// writer.
//
// A collection that is dropped under a running sink comes into being again with the next write, empty of all that was there:
// "written" was said of it. So its identity (the UUID that the server gives each) is looked at again with writes, at most
// every kLookEvery.
#pragma once

#include <chrono>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "core/row_plan.h"
#include "env/clock.h"
#include "mongo/client.h"

namespace tidemark::mongodb_sink {

class Targets {
 public:
  static constexpr std::chrono::seconds kLookEvery{10};

  // `remedy`, a literal: what brings back what stood in a collection that was dropped or replaced.
  Targets(Clock& clock, const char* remedy) : clock_(clock), remedy_(remedy) {}

  // Creates the collection when absent, and looks what it is; without effect where that was done a moment ago. kConfig for
  // a collection that isn't the one it was, kReject for one that can't be written to: of a kind that check_kind() refuses, of
  // a name that the server doesn't take.
  Status ensure(mongo::Client& client, const TableName& target, std::stop_token stop);
  // The same for one that is there, or that nobody may make; false where it isn't there and never was.
  Result<bool> look(mongo::Client& client, const TableName& target, std::stop_token stop);
  bool is_due(const TableName& target) const;
  // Whether it was seen there before.
  bool knows(const TableName& target) const { return known_.contains(target.text()); }

  // The fields beside `_id` of the key by which the collection is sharded, as dotted paths; none where it isn't, or where
  // nobody may tell. REQUIRES that it was looked at.
  const std::vector<std::string>& shard_key(const TableName& target) const;

 private:
  struct Known {
    bson::Document uuid;  // {uuid: BinData}; none where the server doesn't say
    std::vector<std::string> shard_key;
    bool shard_key_hidden = false;  // from this user
    Mono looked_at{};
  };

  Status read_shard_key(mongo::Client& client, const TableName& target, Known& known, std::stop_token stop);

  tl::unexpected<Error> replaced(const TableName& target, const std::string& what) const;

  Clock& clock_;
  const char* remedy_;
  std::map<std::string, Known> known_;  // by the collection's full name
};

// --- pure, for the tests

// kReject when the entry of listCollections isn't a plain collection.
Status check_kind(bson::View entry, const TableName& target);
// Whether the server refuses a command for what its collection, or its database, is called: for nothing that waiting would
// mend, and for nothing that another collection has.
bool is_about_the_name(int code);
// The paths of a shard key beside `_id`, from its entry in config.collections.
std::vector<std::string> shard_key_in(bson::View entry);

}  // namespace tidemark::mongodb_sink
