// A dead letter once more, for pipelines whose letters don't go back before their source. Used by LetterBox; each call on the
// caller's thread, with connections of its own.
//
// Where the sink keeps the current state of documents, a letter is only the name of a document: the event is old, the
// document may have changed since, or be gone. What is written is what the source holds now, through the transforms once, as
// an event that sorts after every change up to the time of that look (guard/repair.h). Elsewhere the event itself is written.
#pragma once

#include <stop_token>
#include <string>

#include "app/app.h"
#include "core/dead_letters.h"

namespace tidemark::app {

// What became of it, for people: "delivered again", "left out by transform 1 (filter)". An error leaves the letter owed.
Result<std::string> retry_letter(App& app, const config::PipelineConfig& pipeline, const DeadLetter& letter,
                                 std::stop_token stop);

}  // namespace tidemark::app
