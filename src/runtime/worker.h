// One thread with a bounded queue of work, around one component: a source, a lane of a sink, a position
// store.
//
// The thread runs one job at a time, in order. A job gets the stop token of the worker and answers through
// the pipeline's inbox, so that every thread touches its own component alone.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/bounded_queue.h"

namespace tidemark {

class Worker {
 public:
  using Job = std::function<void(std::stop_token)>;

  // `queue_max` bounds the jobs that may wait; the core never has more out.
  Worker(std::string name, size_t queue_max);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // REQUIRES room in the queue: PipelineCore has a fixed number of actions out at any time.
  void post(Job job);

  // Asks the running job to return early. The worker goes on taking jobs.
  void request_stop();
  // Drops the jobs that wait, lets the running one return, and ends the thread.
  void join();

 private:
  void run();

  const std::string name_;
  BoundedQueue<Job> jobs_;
  std::stop_source stop_;
  std::jthread thread_;
};

}  // namespace tidemark
