#include "http/stream.h"

namespace tidemark::http {

void Stream::read_some(const BufferList<asio::mutable_buffer>& buffers, Completion completion) {
  if (tls_)
    tls_->async_read_some(buffers, std::move(completion));
  else
    socket_->async_read_some(buffers, std::move(completion));
}

void Stream::write_some(const BufferList<asio::const_buffer>& buffers, Completion completion) {
  if (tls_)
    tls_->async_write_some(buffers, std::move(completion));
  else
    socket_->async_write_some(buffers, std::move(completion));
}

}  // namespace tidemark::http
