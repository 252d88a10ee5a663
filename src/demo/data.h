// The demo's data: one week of earthquakes as the USGS publishes them (GeoJSON), and the CloudEvents made of them. Pure,
// but for the reading of the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "env/file_system.h"

namespace tidemark::demo {

struct Quake {
  std::string id;                   // the USGS's own: "ci37868143"
  std::string place;                // "4km W of Castaic, CA"
  std::optional<double> magnitude;  // of the first report
  int64_t time_ms = 0;
  bson::Document properties;  // as published: {mag, place, time, ...}
};

// Reads every feature of the file. kConfig, naming the file and the way to get it, when it is absent or is no
// collection of earthquakes.
Result<std::vector<Quake>> load_quakes(FileSystem& files, const std::string& path);

// Where `make deps` puts the file, seen from the folder of the program.
std::string default_quakes_path(const std::string& executable_folder);

// One report of an earthquake as a CloudEvent in structured JSON. The first revision says what was published; a later one
// gives the magnitude that it is told.
std::string cloud_event(const Quake& quake, int64_t revision, std::optional<double> revised_magnitude);
// The id of that event: "ci37868143.2".
std::string cloud_event_id(const Quake& quake, int64_t revision);
// An event that passes the door and that the demo's processor can't take, however often it tries.
std::string poisoned_event(int64_t number);

}  // namespace tidemark::demo
