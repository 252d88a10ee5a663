#include "mongo/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mongoc/mongoc.h>

namespace tidemark::mongo {
namespace {

using ::testing::ElementsAre;

Origin origin(uint32_t domain, uint32_t code = 0) {
  bson_error_t error;
  bson_set_error(&error, domain, code, "words");
  return origin_of(error);
}

TEST(MongoLibrary, KnowsWhoRaisedAnError) {
  EXPECT_EQ(origin(MONGOC_ERROR_SERVER, 11000), Origin::kServer);
  EXPECT_EQ(origin(MONGOC_ERROR_WRITE_CONCERN, 64), Origin::kServer);
  EXPECT_EQ(origin(MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET), Origin::kNetwork);
  EXPECT_EQ(origin(MONGOC_ERROR_PROTOCOL, MONGOC_ERROR_PROTOCOL_INVALID_REPLY), Origin::kNetwork);
  EXPECT_EQ(origin(MONGOC_ERROR_PROTOCOL, MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION), Origin::kIncompatible);
  EXPECT_EQ(origin(MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_SERVER_SELECTION_FAILURE), Origin::kSelection);
  EXPECT_EQ(origin(MONGOC_ERROR_SERVER_SELECTION, MONGOC_ERROR_SERVER_SELECTION_BAD_WIRE_VERSION),
            Origin::kIncompatible);
  EXPECT_EQ(origin(MONGOC_ERROR_SCRAM), Origin::kAuthentication);
  EXPECT_EQ(origin(MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE), Origin::kAuthentication);
  EXPECT_EQ(origin(MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_IN_EXHAUST), Origin::kNetwork);
  EXPECT_EQ(origin(MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_TOO_BIG), Origin::kDriver);
  EXPECT_EQ(origin(MONGOC_ERROR_BSON), Origin::kDriver);
}

TEST(MongoLibrary, BelievesTheReplyBeforeTheDriver) {
  bson_error_t error;
  bson_set_error(&error, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, "cut short");
  const auto reply = bson::Document::from_json(
      R"({"ok":0,"code":91,"errmsg":"shutting down","errorLabels":["RetryableWriteError",7]})");
  const Told told = told_by(error, reply.value());
  EXPECT_EQ(told.origin, Origin::kServer);
  EXPECT_EQ(told.code, 91);
  EXPECT_EQ(told.message, "shutting down");
  EXPECT_THAT(told.labels, ElementsAre("RetryableWriteError"));
  EXPECT_EQ(told_by(error, {}).message, "cut short");
  EXPECT_EQ(told_by(error, {}).code, 0) << "a code of the driver's is none of the server's";
}

TEST(MongoLibrary, WhatTheUriSaysGoesBeforeADefault) {
  const auto uri = parse_uri("mongodb://db1/?connectTimeoutMS=70");
  ASSERT_TRUE(uri) << uri.error().describe();
  set_default(uri->get(), MONGOC_URI_CONNECTTIMEOUTMS, std::chrono::seconds(5));
  set_default(uri->get(), MONGOC_URI_SOCKETTIMEOUTMS, std::chrono::seconds(5));
  set_default_app_name(uri->get(), "orders");
  set_default_app_name(uri->get(), "others");
  EXPECT_EQ(mongoc_uri_get_option_as_int32(uri->get(), MONGOC_URI_CONNECTTIMEOUTMS, 0), 70);
  EXPECT_EQ(mongoc_uri_get_option_as_int32(uri->get(), MONGOC_URI_SOCKETTIMEOUTMS, 0), 5000);
  EXPECT_STREQ(mongoc_uri_get_appname(uri->get()), "orders");
}

TEST(MongoLibrary, NeverRepeatsAUriThatItCannotRead) {
  const auto uri = parse_uri("mongodb://user:hid%den@db1");
  ASSERT_FALSE(uri);
  EXPECT_EQ(uri.error().react, React::kConfig);
  EXPECT_EQ(uri.error().describe().find("hid"), std::string::npos) << uri.error().describe();
}

}  // namespace
}  // namespace tidemark::mongo
