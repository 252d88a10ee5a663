#include "env/posix/file_system.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tidemark {
namespace {

constexpr mode_t kFileMode = 0640;

// Says what failed on which path, in the system's own words, and how to react to it.
Error system_error(std::string_view doing, const std::string& path, int error) {
  Error result;
  result.code = error;
  result.what = "can't " + std::string(doing) + " " + path + ": " + std::generic_category().message(error);
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:  // the limit of the process or of the file system
      result.react = React::kRetry;
      result.hint = "make room on the disk, or raise the quota";
      break;
    // Where it has worked before, somebody has unmounted a disk or changed a permission, and will put it back.
    case ENOENT:
    case ENOTDIR:
      result.react = React::kDenied;
      result.hint = "create the folder, or correct the path";
      break;
    case EACCES:
    case EPERM:
      result.react = React::kDenied;
      result.hint = "give the user that runs this program permission, or choose another path";
      break;
    case EROFS:
      result.react = React::kDenied;
      result.hint = "the file system is mounted read-only: choose another path";
      break;
    case EISDIR:
      result.react = React::kDenied;
      result.hint = "the path names a folder, not a file";
      break;
    case ELOOP:
    case ENAMETOOLONG:
    case EINVAL:
      result.react = React::kConfig;
      break;
    case EIO:
      result.react = React::kRetry;
      result.hint = "the disk or the network behind the file system fails: look at the system's log";
      break;
    default:  // EMFILE, ENOMEM, ESTALE and whatever else a file system may say
      result.react = React::kRetry;
      break;
  }
  return result;
}

tl::unexpected<Error> fail_with(std::string_view doing, const std::string& path, int error = errno) {
  return fail(system_error(doing, path, error));
}

// Calls `call` again while a signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  // False with errno set, when made from a failed open.
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  // Linux frees the descriptor even when close() is interrupted, so it is never called twice.
  int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

Descriptor open_file(const std::string& path, int flags) {
  return Descriptor(uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kFileMode); }));
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Makes the folder's entries durable: a rename or a new file is lost in a crash without it.
Status sync_folder(const std::string& folder) {
  const Descriptor fd = open_file(folder, O_RDONLY | O_DIRECTORY);
  if (!fd) return fail_with("open the folder", folder);
  if (uninterrupted([&] { return ::fsync(fd.get()); }) != 0) return fail_with("sync the folder", folder);
  return {};
}

Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = uninterrupted([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (written < 0) return fail_with("write to", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

class PosixAppendFile final : public AppendFile {
 public:
  PosixAppendFile(Descriptor fd, std::string path, uint64_t size)
      : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}

  Status append(std::string_view bytes) override {
    Status status = write_all(fd_.get(), bytes, path_);
    if (status) {
      size_ += bytes.size();
      return status;
    }
    // Part of it may stand there: the file itself knows how much.
    struct stat info;
    if (::fstat(fd_.get(), &info) == 0) size_ = static_cast<uint64_t>(info.st_size);
    return status;
  }

  Status sync() override {
    if (uninterrupted([&] { return ::fdatasync(fd_.get()); }) != 0) return fail_with("sync", path_);
    return {};
  }

  uint64_t size() const override { return size_; }

  Status truncate(uint64_t size) override {
    if (uninterrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0)
      return fail_with("shorten", path_);
    size_ = size;
    return {};
  }

  Result<Look> look() const override {
    struct stat here;
    if (::fstat(fd_.get(), &here) != 0) return fail_with("look at", path_);
    Look found{false, static_cast<uint64_t>(here.st_size), here.st_dev, here.st_ino};
    struct stat there;
    if (::stat(path_.c_str(), &there) == 0)
      found.named = there.st_dev == here.st_dev && there.st_ino == here.st_ino;
    else if (errno != ENOENT && errno != ENOTDIR)
      return fail_with("look at", path_);
    return found;
  }

 private:
  Descriptor fd_;
  const std::string path_;
  uint64_t size_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;  // closing it gives the lock back
};

// The process id that the holder wrote into its lock file; empty when it can't be told.
std::string holder_of(int fd) {
  char text[24];
  const ssize_t length = uninterrupted([&] { return ::pread(fd, text, sizeof text, 0); });
  std::string pid;
  for (ssize_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; ++i) pid.push_back(text[i]);
  return pid;
}

}  // namespace

Result<std::string> PosixFileSystem::read_file(const std::string& path, uint64_t bytes_max) {
  const Descriptor fd = open_file(path, O_RDONLY);
  if (!fd) return fail_with("open", path);
  std::string content;
  char chunk[16384];
  while (true) {
    const ssize_t got = uninterrupted([&] { return ::read(fd.get(), chunk, sizeof chunk); });
    if (got < 0) return fail_with("read", path);
    if (got == 0) return content;
    content.append(chunk, static_cast<size_t>(got));
    if (content.size() > bytes_max)
      return fail(React::kFatal,
                  path + " is larger than the " + std::to_string(bytes_max) + " bytes it may have");
  }
}

Result<bool> PosixFileSystem::exists(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_with("look at", path);
}

Result<std::string> PosixFileSystem::read_range(const std::string& path, uint64_t offset,
                                                uint64_t bytes_max) {
  const Descriptor fd = open_file(path, O_RDONLY);
  if (!fd) return fail_with("open", path);
  std::string content;
  char chunk[16384];
  while (content.size() < bytes_max) {
    const size_t wanted = std::min<uint64_t>(sizeof chunk, bytes_max - content.size());
    const auto at = static_cast<off_t>(offset + content.size());
    const ssize_t got = uninterrupted([&] { return ::pread(fd.get(), chunk, wanted, at); });
    if (got < 0) return fail_with("read", path);
    if (got == 0) break;
    content.append(chunk, static_cast<size_t>(got));
  }
  return content;
}

Result<uint64_t> PosixFileSystem::file_size(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return fail_with("look at", path);
  return static_cast<uint64_t>(info.st_size);
}

Status PosixFileSystem::replace_file(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  Descriptor fd = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  if (!fd) return fail_with("create", temporary);
  Status status = write_all(fd.get(), content, temporary);
  if (status && uninterrupted([&] { return ::fdatasync(fd.get()); }) != 0)
    status = fail_with("sync", temporary);
  if (fd.close() != 0 && status) status = fail_with("close", temporary);
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) status = fail_with("replace", path);
  if (!status) {
    // The half-written file would only take room; the old content under `path` is untouched.
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_folder(folder_of(path));
}

Result<std::unique_ptr<AppendFile>> PosixFileSystem::open_append(const std::string& path) {
  // A pipe that nobody reads would be waited for here, and what it is told only behind that.
  Descriptor fd = open_file(path, O_WRONLY | O_APPEND | O_NONBLOCK);
  if (!fd && errno == ENXIO) {
    return fail(React::kConfig, path + " is not a regular file",
                "what is written must be readable again after a crash: choose the path of a file");
  }
  if (!fd) {
    if (errno != ENOENT) return fail_with("open", path);
    fd = open_file(path, O_WRONLY | O_APPEND | O_CREAT);
    if (!fd) return fail_with("create", path);
  }
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return fail_with("look at", path);
  if (!S_ISREG(info.st_mode)) {
    return fail(React::kConfig, path + " is not a regular file",
                "what is written must be readable again after a crash: choose the path of a file");
  }
  TIDEMARK_TRY(sync_folder(folder_of(path)));
  return std::make_unique<PosixAppendFile>(std::move(fd), path, static_cast<uint64_t>(info.st_size));
}

Status PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_with("rename to " + to + " the file", from);
  TIDEMARK_TRY(sync_folder(folder_of(to)));
  if (folder_of(from) != folder_of(to)) TIDEMARK_TRY(sync_folder(folder_of(from)));
  return {};
}

Status PosixFileSystem::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return fail_with("remove", path);
  return sync_folder(folder_of(path));
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& folder) {
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return fail_with("open the folder", folder);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(dir);
  if (error != 0) return fail_with("read the folder", folder, error);
  return names;
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
  // flock, not fcntl: its lock belongs to this open file, so two owners inside one process exclude each other
  // too, and closing another descriptor of the same file doesn't give it back.
  Descriptor fd = open_file(path, O_RDWR | O_CREAT);
  if (!fd) return fail_with("open the lock file", path);
  if (uninterrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return fail_with("lock", path);
    const std::string pid = holder_of(fd.get());
    return fail(React::kFenced,
                path + " is locked by another owner" + (pid.empty() ? "" : ", process " + pid),
                "only one process may run a pipeline: stop the other one");
  }
  // The process id is for people only: failing to write it harms nothing.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) errno = 0;
  return std::make_unique<PosixFileLock>(std::move(fd));
}

}  // namespace tidemark
