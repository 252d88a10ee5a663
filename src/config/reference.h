// The generated reference: what every component takes, as Markdown for docs/reference/. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "config/field_spec.h"

namespace tidemark::config {

// One page: "sinks", with a section for each spec, in the order given. REQUIRES that all are of one kind.
std::string render_reference_page(const std::string& title, const std::string& introduction,
                                  const std::vector<const ComponentSpec*>& specs);

// One section of such a page.
std::string render_reference_section(const ComponentSpec& spec);

}  // namespace tidemark::config
