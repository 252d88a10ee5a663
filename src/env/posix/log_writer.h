// The program's log on a descriptor: standard error, or the end of a file. It never waits: a line that a pipe doesn't take
// at once, whose reader has gone, or for which the disk has no room, is not written (base/log.h counts it).
#pragma once

#include <memory>
#include <string>

#include "base/log.h"

namespace tidemark {

// Standard input, output and error that the caller has closed lead to /dev/null from now on: else the next file that is opened
// takes their place, and the log, or what a command prints, is written into it. To be called before anything is opened.
void hold_standard_descriptors();

// Standard error where `file` is empty. Null for a terminal, which base/log.h colours. kConfig when the file can't be
// opened, or is a pipe that nobody reads; no folder is made for it.
Result<std::shared_ptr<LogWriter>> make_log_writer(const std::string& file);

}  // namespace tidemark
