#include "runtime/worker.h"

#include <pthread.h>

#include "base/check.h"

namespace tidemark {

Worker::Worker(std::string name, size_t queue_max)
    : name_(std::move(name)), jobs_(queue_max), thread_([this] { run(); }) {
  // The kernel keeps 15 characters; top and gdb show them.
  pthread_setname_np(thread_.native_handle(), name_.substr(0, 15).c_str());
}

Worker::~Worker() { join(); }

void Worker::post(Job job) {
  const bool taken = jobs_.try_push(std::move(job));
  TIDEMARK_CHECK(taken, "a worker was given more work than the protocol has out");
}

void Worker::request_stop() { stop_.request_stop(); }

void Worker::join() {
  stop_.request_stop();
  jobs_.close();
  if (thread_.joinable()) thread_.join();
}

void Worker::run() {
  while (auto job = jobs_.pop()) (*job)(stop_.get_token());
}

}  // namespace tidemark
