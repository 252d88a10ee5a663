// SQLite's own file system with faults: write, sync or truncate number N fails, once, and a failing call may leave a part
// of its bytes behind. For tests; registers itself as the default VFS while it lives. One at a time, one thread.
#pragma once

#include <cstring>

#include <sqlite3.h>

namespace tidemark::testing {

class FaultyVfs {
 public:
  FaultyVfs() {
    base_ = sqlite3_vfs_find(nullptr);
    vfs_ = *base_;
    vfs_.zName = "faulty";
    vfs_.szOsFile = base_->szOsFile + static_cast<int>(sizeof(File));
    vfs_.pAppData = this;
    vfs_.xOpen = [](sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
      return self(vfs)->open(name, reinterpret_cast<File*>(file), flags, out);
    };
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~FaultyVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(base_, 1);
  }
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  // Operation `n` from now fails (0 is the next); `done`: it is carried out all the same.
  void fail_operation(int n, bool done) {
    left_ = n;
    done_ = done;
    hit_ = false;
  }
  void heal() { left_ = -1; }
  bool fault_was_hit() const { return hit_; }

 private:
  struct File {
    sqlite3_file head;  // what SQLite sees
    FaultyVfs* owner;
    sqlite3_file* real;  // stands behind this struct
  };

  static FaultyVfs* self(sqlite3_vfs* vfs) { return static_cast<FaultyVfs*>(vfs->pAppData); }
  static sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->real; }

  int open(const char* name, File* file, int flags, int* out) {
    file->head.pMethods = nullptr;
    file->owner = this;
    file->real = reinterpret_cast<sqlite3_file*>(file + 1);
    std::memset(static_cast<void*>(file->real), 0, static_cast<size_t>(base_->szOsFile));
    const int code = base_->xOpen(base_, name, file->real, flags, out);
    if (file->real->pMethods != nullptr) file->head.pMethods = &methods();
    return code;
  }

  // True when this operation is the one to fail.
  bool fails() {
    if (left_ < 0) return false;
    if (left_-- > 0) return false;
    hit_ = true;
    return true;
  }

  static int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
    FaultyVfs* owner = reinterpret_cast<File*>(file)->owner;
    const bool fault = owner->fails();
    const int taken = fault && !owner->done_ ? size / 2 : size;
    const int code = real(file)->pMethods->xWrite(real(file), bytes, taken, at);
    return fault ? SQLITE_IOERR_WRITE : code;
  }
  static int sync(sqlite3_file* file, int flags) {
    FaultyVfs* owner = reinterpret_cast<File*>(file)->owner;
    const bool fault = owner->fails();
    const int code = fault && !owner->done_ ? SQLITE_OK : real(file)->pMethods->xSync(real(file), flags);
    return fault ? SQLITE_IOERR_FSYNC : code;
  }
  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    FaultyVfs* owner = reinterpret_cast<File*>(file)->owner;
    const bool fault = owner->fails();
    const int code = fault && !owner->done_ ? SQLITE_OK : real(file)->pMethods->xTruncate(real(file), size);
    return fault ? SQLITE_IOERR_TRUNCATE : code;
  }

  static const sqlite3_io_methods& methods() {
    static const sqlite3_io_methods all = [] {
      sqlite3_io_methods m{};
      m.iVersion = 3;
      m.xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); };
      m.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
        return real(f)->pMethods->xRead(real(f), to, n, at);
      };
      m.xWrite = &write;
      m.xTruncate = &truncate;
      m.xSync = &sync;
      m.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) {
        return real(f)->pMethods->xFileSize(real(f), n);
      };
      m.xLock = [](sqlite3_file* f, int kind) { return real(f)->pMethods->xLock(real(f), kind); };
      m.xUnlock = [](sqlite3_file* f, int kind) { return real(f)->pMethods->xUnlock(real(f), kind); };
      m.xCheckReservedLock = [](sqlite3_file* f, int* out) {
        return real(f)->pMethods->xCheckReservedLock(real(f), out);
      };
      m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
        return real(f)->pMethods->xFileControl(real(f), op, arg);
      };
      m.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
      m.xDeviceCharacteristics = [](sqlite3_file* f) {
        return real(f)->pMethods->xDeviceCharacteristics(real(f));
      };
      m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
        return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
      };
      m.xShmLock = [](sqlite3_file* f, int at, int n, int flags) {
        return real(f)->pMethods->xShmLock(real(f), at, n, flags);
      };
      m.xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); };
      m.xShmUnmap = [](sqlite3_file* f, int drop) { return real(f)->pMethods->xShmUnmap(real(f), drop); };
      m.xFetch = [](sqlite3_file*, sqlite3_int64, int, void** out) {
        *out = nullptr;  // no memory maps: every read and write comes by here
        return SQLITE_OK;
      };
      m.xUnfetch = [](sqlite3_file*, sqlite3_int64, void*) { return SQLITE_OK; };
      return m;
    }();
    return all;
  }

  sqlite3_vfs* base_ = nullptr;
  sqlite3_vfs vfs_{};
  int left_ = -1;
  bool done_ = false;
  bool hit_ = false;
};

}  // namespace tidemark::testing
