#include "core/inlet.h"

#include <optional>

#include <gtest/gtest.h>

namespace tidemark {
namespace {

// The last thing that a client heard, and how often it heard anything.
struct Client {
  std::optional<Answer::Kind> kind;
  int answers = 0;

  Reply reply() {
    return Reply([this](const Answer& answer) {
      kind = answer.kind;
      ++answers;
    });
  }
};

TEST(Reply, PassesTheAnswerOn) {
  Client client;
  client.reply().answer({.kind = Answer::Kind::kAccepted, .events = 1});
  EXPECT_EQ(client.kind, Answer::Kind::kAccepted);
  EXPECT_EQ(client.answers, 1);
}

TEST(Reply, DroppedUnansweredIsNeverAccepted) {
  Client client;
  { const Reply reply = client.reply(); }
  EXPECT_EQ(client.kind, Answer::Kind::kUnavailable);
  EXPECT_EQ(client.answers, 1);
}

TEST(Reply, OverwrittenUnansweredIsNeverAccepted) {
  Client first, second;
  Reply reply = first.reply();
  reply = second.reply();
  EXPECT_EQ(first.kind, Answer::Kind::kUnavailable);
  EXPECT_EQ(second.kind, std::nullopt);
}

TEST(Reply, IsOwedByWhoeverHoldsItAndByNobodyElse) {
  Client client;
  Reply taken = [&client] {
    Reply reply = client.reply();
    return Reply(std::move(reply));
  }();
  EXPECT_EQ(client.answers, 0);
  taken.answer({.kind = Answer::Kind::kAccepted, .events = 1});
  taken.answer({.kind = Answer::Kind::kAccepted, .events = 1});
  EXPECT_EQ(client.answers, 1);
}

}  // namespace
}  // namespace tidemark
