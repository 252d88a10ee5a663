#include "demo/data.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/posix/file_system.h"
#include "support/temp_folder.h"

namespace tidemark::demo {
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

constexpr const char* kTwoFeatures = R"({"type": "FeatureCollection", "features": [
    {"type": "Feature", "id": "ci1", "properties": {"mag": 2.5, "place": "Castaic", "time": 1517966773840,
     "title": "M 2.5 - Castaic", "felt": null}},
    {"type": "Feature", "id": "ci1", "properties": {"mag": 9, "time": 1}},
    {"type": "Feature", "id": "untimed", "properties": {"mag": 9}},
    {"type": "Feature", "properties": {"mag": 1, "time": 1}},
    {"type": "Feature", "id": "nn2", "properties": {"mag": null, "place": null, "time": 0}}]})";

TEST_F(DemoData, EachFeatureWithAnIdAndATimeIsAnEarthquakeOnce) {
  const auto quakes = load(kTwoFeatures);
  ASSERT_TRUE(quakes) << quakes.error().describe();
  ASSERT_EQ(quakes->size(), 2u) << "no second one of one id, none without id or time";
  EXPECT_EQ(quakes->front().id, "ci1");
  EXPECT_EQ(quakes->front().place, "Castaic");
  EXPECT_EQ(quakes->front().magnitude, 2.5);
  EXPECT_EQ(quakes->back().magnitude, std::nullopt);
}

TEST_F(DemoData, AReportIsACloudEventWithTheProperties) {
  const auto quakes = load(kTwoFeatures);
  ASSERT_TRUE(quakes);
  const auto event = bson::Document::from_json(cloud_event(quakes->front(), 1, std::nullopt));
  ASSERT_TRUE(event) << event.error().describe();
  const bson::View view = event->view();
  EXPECT_EQ(view.find("specversion")->string(), "1.0");
  EXPECT_EQ(view.find("id")->string(), "ci1.1");
  EXPECT_EQ(view.find("type")->string(), "gov.usgs.earthquake");
  EXPECT_EQ(view.find("source")->string(), "urn:usgs:earthquakes");
  EXPECT_EQ(view.find("time")->string(), "2018-02-07T01:26:13.840Z");
  EXPECT_EQ(view.find("data")->document(), quakes->front().properties.view());
}

TEST_F(DemoData, ALaterReportHasItsOwnIdAndMagnitude) {
  const auto quakes = load(kTwoFeatures);
  ASSERT_TRUE(quakes);
  const std::string event = cloud_event(quakes->front(), 3, 3.0);
  EXPECT_THAT(event, HasSubstr("\"ci1.3\""));
  EXPECT_THAT(event, HasSubstr("\"mag\":3.0"));
  EXPECT_THAT(event, HasSubstr("M 3.0 - Castaic"));
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
}  // namespace tidemark::demo
