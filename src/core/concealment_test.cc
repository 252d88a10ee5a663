#include "core/concealment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bson/json.h"
#include "core/event_edit.h"
#include "support/change_events.h"

namespace tidemark {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Moves the field `from` of the document to `to`.
class Moves final : public Transform {
 public:
  Moves(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}
  Result<Verdict> apply(Event& event, EventBatch& batch) const override {
    bson::Builder after;
    for (const bson::Element field : event.after)
      after.append(field.key() == from_ ? std::string_view(to_) : field.key(), field);
    TIDEMARK_TRY(apply_edit(event, EventEdit{{}, {}, after.view(), {}}, batch));
    return Verdict::kKeep;
  }
  std::vector<std::string> before(const std::string& path) const override {
    if (path == to_) return {path, from_};
    return {path};
  }

 private:
  const std::string from_, to_;
};

// Hides top-level fields.
class Hides final : public Transform {
 public:
  explicit Hides(std::vector<std::string> names) : names_(std::move(names)) {}
  Result<Verdict> apply(Event& event, EventBatch& batch) const override {
    bson::Builder after;
    for (const bson::Element field : event.after) {
      if (std::find(names_.begin(), names_.end(), field.key()) != names_.end())
        after.append(field.key(), "***");
      else
        after.append(field.key(), field);
    }
    TIDEMARK_TRY(apply_edit(event, EventEdit{{}, {}, after.view(), {}}, batch));
    return Verdict::kKeep;
  }
  std::vector<std::string> hides() const override { return names_; }
  Result<std::unique_ptr<Transform>> hiding(const std::vector<std::string>& paths) const override {
    return std::make_unique<Hides>(paths);
  }

 private:
  const std::vector<std::string> names_;
};

class ConcealmentTest : public ::testing::Test {
 protected:
  // What is kept of an event that went through `transforms` up to the one numbered `applied`.
  std::string kept(std::vector<std::unique_ptr<Transform>> transforms, size_t applied) {
    Event event = testing::add_event(
        batch_, testing::change_event(1, "insert", R"({"_id": 1})",
                                      R"({"fullDocument": {"_id": 1, "email": "ann@x", "n": 7}})"));
    for (size_t i = 0; i < applied; ++i) EXPECT_TRUE(transforms[i]->apply(event, batch_));
    const auto concealment = Concealment::of(transforms);
    EXPECT_TRUE(concealment);
    const auto shown = concealment->conceal(event, batch_);
    EXPECT_TRUE(shown);
    return bson::to_json(shown->raw, bson::JsonMode::kRelaxed);
  }
  template <class... T>
  static std::vector<std::unique_ptr<Transform>> list(std::unique_ptr<T>... transforms) {
    std::vector<std::unique_ptr<Transform>> all;
    (all.push_back(std::move(transforms)), ...);
    return all;
  }

  EventBatch batch_;
};

using Names = std::vector<std::string>;

TEST_F(ConcealmentTest, HidesBeforeTheTransformThatHidesWasReached) {
  for (const size_t applied : {0u, 1u, 2u}) {
    const std::string event =
        kept(list(std::make_unique<Moves>("n", "m"), std::make_unique<Hides>(Names{"email"})), applied);
    EXPECT_THAT(event, HasSubstr(R"("email":"***")"));
    EXPECT_THAT(event, Not(HasSubstr("ann@x")));
    EXPECT_THAT(event, HasSubstr(R"("n":7)")) << "as the source handed it out";
  }
}

TEST_F(ConcealmentTest, HidesAFieldUnderTheNameThatItHadBeforeARename) {
  const std::string event =
      kept(list(std::make_unique<Moves>("email", "mail"), std::make_unique<Moves>("mail", "contact"),
                std::make_unique<Hides>(Names{"contact"})),
           1);
  EXPECT_THAT(event, HasSubstr(R"("email":"***")"));
  EXPECT_THAT(event, Not(HasSubstr("ann@x")));
}

TEST_F(ConcealmentTest, KeepsTheEventAsTheSourceHandedItOutWhereNothingIsHidden) {
  EXPECT_THAT(kept(list(std::make_unique<Moves>("email", "mail")), 1), HasSubstr(R"("email":"ann@x")"));
}

TEST_F(ConcealmentTest, ABareEventHasNothingButItsNameAndItsId) {
  const Event event =
      testing::add_event(batch_, testing::change_event(1, "update", R"({"_id": 1, "email": "ann@x"})",
                                                       R"({"fullDocument": {"_id": 1, "email": "ann@x"},
                                        "updateDescription": {"updatedFields": {"email": "ann@x"}}})"));
  const auto left = bare(event, batch_);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->id, event.id);
  EXPECT_EQ(bson::to_json(left->key, bson::JsonMode::kRelaxed), R"({"_id":1})");
  EXPECT_THAT(bson::to_json(left->raw, bson::JsonMode::kRelaxed), Not(HasSubstr("ann@x")));
}

}  // namespace
}  // namespace tidemark
