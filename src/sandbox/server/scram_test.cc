#include "sandbox/server/scram.h"

#include <gtest/gtest.h>

namespace tidemark::sandbox {
namespace {

// The example of RFC 7677.
constexpr std::string_view kSalt("\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81", 16);
constexpr const char* kNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

ScramConversation conversation(const char* user = "user", const char* password = "pencil") {
  return {user, password, std::string(kSalt), kNonce, true};
}

TEST(Scram, SpeaksTheExampleOfTheStandard) {
  auto scram = conversation();
  EXPECT_EQ(scram.first("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  EXPECT_FALSE(scram.proven());
  EXPECT_EQ(scram.last("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                       "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  EXPECT_TRUE(scram.proven());
}

TEST(Scram, RefusesAWrongPasswordAndAnotherUser) {
  auto scram = conversation("user", "pen");
  ASSERT_TRUE(scram.first("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
  EXPECT_FALSE(
      scram.last("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                 "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
  EXPECT_FALSE(scram.proven());
  EXPECT_FALSE(conversation().first("n,,n=other,r=x"));
}

TEST(Scram, RefusesMalformedMessages) {
  for (const auto* message : {"", "n,,", "n,,n=user", "y,,n=user,r=x", "n=user,r=x"})
    EXPECT_FALSE(conversation().first(message)) << message;
  auto scram = conversation();
  ASSERT_TRUE(scram.first("n,,n=user,r=x"));
  for (const auto* message :
       {"", "r=x", "c=biws,r=wrong,p=AAAA", "p=", "c=biws,r=x%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=A"})
    EXPECT_FALSE(scram.last(message)) << message;
}

}  // namespace
}  // namespace tidemark::sandbox
