// The demo's data: one week of earthquakes as the USGS publishes them (GeoJSON), made into documents.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "env/file_system.h"

namespace tidemark::cli {

struct Quake {
  std::string id;           // the USGS's own: "ci37868143"
  bson::Document document;  // {_id, type, place, time (a date), magnitude (a double), ..., geometry}
};

// Reads every feature of the file. kConfig, naming the file and the way to get it, when it is absent or is no
// collection of earthquakes.
Result<std::vector<Quake>> load_quakes(FileSystem& files, const std::string& path);

// Where `make deps` puts the file, seen from the folder of the program.
std::string default_quakes_path(const std::string& executable_folder);

}  // namespace tidemark::cli
