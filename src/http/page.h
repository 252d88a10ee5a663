// The files of the page, compiled into the program (web/ makes them). Immutable.
#pragma once

#include <span>
#include <string_view>

namespace tidemark::http {

struct PageFile {
  std::string_view path;          // "/", "/assets/page.js"
  std::string_view content_type;  // "text/html; charset=utf-8"
  std::string_view bytes;
  std::string_view etag;  // in quotes, of the bytes
};

std::span<const PageFile> page_files();

}  // namespace tidemark::http
