// What a crash can leave at the end of a JSON Lines file, and where the last whole line ends. Reads only; one
// thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "env/file_system.h"

namespace tidemark {

// How many bytes of the file are whole lines of JSON: the rest is a torn write and may be cut.
//
// kConfig for a file that was never JSON Lines, so that a mistyped path destroys nothing. kCorrupt when the
// damage is larger than one write can have left.
Result<uint64_t> intact_size(FileSystem& files, const std::string& path);

}  // namespace tidemark
