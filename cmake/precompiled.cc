// Empty on purpose: cmake/targets.cmake compiles the precompiled headers with it.
