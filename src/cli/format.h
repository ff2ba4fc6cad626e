#pragma once
// Header-only (the CMake target says so): LibTorch's include folder carries headers of an fmt of its own in front of
// the system's, without the library.
#include <fmt/core.h>
#include <fmt/ranges.h>
