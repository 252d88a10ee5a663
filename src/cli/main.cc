// The composition root: the command line, and nothing else.
#include <csignal>

#include "cli/program.h"

int main(int argc, char** argv) { return tidemark::cli::run_program(argc, argv, nullptr); }
