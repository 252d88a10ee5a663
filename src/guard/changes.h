// What has changed at the source after a pipeline's stored position, read with a stream of the pipeline's own settings: the
// same token, the same filter. One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "guard/audit_parts.h"

namespace tidemark::guard {

struct Change {
  Op op = Op::kOther;
  std::optional<std::string_view> cohort;  // append_cohort() of `_id`; empty: the whole collection
};

class Changes {
 public:
  // Outlives this.
  explicit Changes(AuditParts& parts) : parts_(parts) {}
  ~Changes();
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

  // The stored position, checked: kConfig when there is none, when it belongs to other settings or another deployment.
  Result<Position> position(std::stop_token stop);

  // Visits every change of `collection` after `from` and not after `until`. kPositionLost when the source can't resume there;
  // kConfig when the position lies after `until`: then it isn't one of this deployment.
  using Visit = std::function<void(const Change&)>;
  Status read(const Position& from, bson::Timestamp until, const CollectionName& collection,
              const Visit& visit, std::stop_token stop);

 private:
  Status read_once(const Position& from, bson::Timestamp until, const CollectionName& collection,
                   const Visit& visit, std::stop_token stop);
  void hand_out(const Event& event, const CollectionName& collection, const Visit& visit);
  Status check_deployment(const std::string& stored, std::stop_token stop);
  Status make_source();

  AuditParts& parts_;
  std::unique_ptr<Source> source_;
  std::optional<std::string> deployment_;  // the source's own, asked once
  std::string cohort_;
};

// The bytes of an `_id` without the types of its numbers. A replace may turn the document of 1 into that of NumberLong(1), and
// its event names the new form alone: whoever waits for a change of the one must take that of the other for it. What has one
// cohort need not compare equal; what compares equal has one.
void append_cohort(const bson::Element& id, std::string& out);

}  // namespace tidemark::guard
