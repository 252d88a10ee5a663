// Clang's thread-safety attributes under their usual names; nothing under other compilers.
// Meaning: https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#pragma once

#if defined(__clang__)
#define TIDEMARK_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define TIDEMARK_THREAD_ATTRIBUTE(x)
#endif

#define CAPABILITY(x) TIDEMARK_THREAD_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY TIDEMARK_THREAD_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) TIDEMARK_THREAD_ATTRIBUTE(guarded_by(x))
#define PT_GUARDED_BY(x) TIDEMARK_THREAD_ATTRIBUTE(pt_guarded_by(x))
#define REQUIRES(...) TIDEMARK_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) TIDEMARK_THREAD_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))
#define ACQUIRE(...) TIDEMARK_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) TIDEMARK_THREAD_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define RELEASE(...) TIDEMARK_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) TIDEMARK_THREAD_ATTRIBUTE(release_shared_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) TIDEMARK_THREAD_ATTRIBUTE(release_generic_capability(__VA_ARGS__))
#define EXCLUDES(...) TIDEMARK_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS TIDEMARK_THREAD_ATTRIBUTE(no_thread_safety_analysis)
