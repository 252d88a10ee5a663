#include "cli/demo_data.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix/file_system.h"
#include "support/temp_folder.h"

namespace tidemark::cli {
namespace {

using ::testing::HasSubstr;

class DemoData : public ::testing::Test {
 protected:
  Result<std::vector<Quake>> load(const std::string& text) {
    std::ofstream(folder_.file("quakes.json")) << text;
    return load_quakes(files_, folder_.file("quakes.json"));
  }
  testing::TempFolder folder_;
  PosixFileSystem files_;
};

TEST_F(DemoData, EachFeatureBecomesADocumentWithItsIdAndDates) {
  const auto quakes = load(R"({"type": "FeatureCollection", "features": [
    {"type": "Feature", "id": "ci1", "properties": {"mag": 2.5, "place": "Castaic", "time": 1517966773840},
     "geometry": {"type": "Point", "coordinates": [-118.6, 34.4, 26.4]}},
    {"type": "Feature", "id": "ci1", "properties": {"mag": 9}, "geometry": {"type": "Point"}},
    {"type": "Feature", "properties": {"mag": 1}}]})");
  ASSERT_TRUE(quakes) << quakes.error().describe();
  ASSERT_EQ(quakes->size(), 1u) << "no second document of one id, none without";
  const bson::View document = quakes->front().document;
  EXPECT_EQ(document.find("_id")->string(), "ci1");
  EXPECT_EQ(document.find("time")->type(), BSON_TYPE_DATE_TIME);
  EXPECT_EQ(document.find("mag")->type(), BSON_TYPE_DOUBLE);
  EXPECT_EQ(document.find_path("geometry.type")->string(), "Point");
}

TEST_F(DemoData, AnAbsentFileSaysHowToGetIt) {
  const auto quakes = load_quakes(files_, folder_.file("absent.json"));
  ASSERT_FALSE(quakes.has_value());
  EXPECT_EQ(quakes.error().react, React::kConfig);
  EXPECT_THAT(quakes.error().what, HasSubstr("absent.json"));
  EXPECT_THAT(quakes.error().hint, HasSubstr("make deps"));
}

TEST_F(DemoData, WhatIsNoCollectionOfQuakesIsRefused) {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"features": 1})", R"({"features": []})", R"({"features": [1]})"}) {
    const auto quakes = load(text);
    ASSERT_FALSE(quakes.has_value()) << text;
    EXPECT_EQ(quakes.error().react, React::kConfig) << text;
  }
}

}  // namespace
}  // namespace tidemark::cli
