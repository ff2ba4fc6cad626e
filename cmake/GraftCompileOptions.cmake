# Flags of Graft's own sources; never exported to those who link Graft.
add_library(graft_compile_options INTERFACE)
# -fPIC everywhere, programs too: a precompiled header serves one setting only.
target_compile_options(graft_compile_options INTERFACE -fPIC -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                                       $<$<BOOL:${GRAFT_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  # False alarms on std::string concatenation (GCC bug 105651, mended in 13.3 and 14).
  target_compile_options(graft_compile_options INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
endif()
if(GRAFT_SANITIZE)
  target_compile_options(graft_compile_options INTERFACE -fsanitize=address,undefined -fno-sanitize=vptr
                                                         -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(graft_compile_options INTERFACE -fsanitize=address,undefined -fno-sanitize=vptr)
endif()

# What most sources include is parsed once and shared among all targets. Not <torch/torch.h>: what its modules leave to be
# instantiated, every source would pay for anew, some eight seconds, and Graft uses none of them.
add_library(graft_precompiled OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
target_link_libraries(graft_precompiled PRIVATE torch nlohmann_json::nlohmann_json graft_compile_options)
target_precompile_headers(graft_precompiled PRIVATE <torch/types.h> <torch/csrc/autograd/autograd.h>
                                                       <torch/csrc/jit/api/module.h> <nlohmann/json.hpp>)
set_target_properties(graft_precompiled PROPERTIES UNITY_BUILD OFF)

# graft_own_target(TARGET): what every target built from Graft's own sources shares.
function(graft_own_target target)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:graft_compile_options>)
  target_precompile_headers(${target} REUSE_FROM graft_precompiled)
endfunction()

# graft_unity_groups(TARGET): where CMAKE_UNITY_BUILD asks for it (the preset release does), the sources of a folder are
# compiled as one. GCC instantiates anew in every unit what the precompiled header has left to be, some six seconds, and
# of CLI11, fmt and GoogleTest as much again: a build from nothing takes a quarter of the time. To be called last.
function(graft_unity_groups target)
  get_target_property(sources ${target} SOURCES)
  get_target_property(folder ${target} SOURCE_DIR)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${folder} NORMALIZE OUTPUT_VARIABLE path)
    cmake_path(GET path PARENT_PATH group)
    cmake_path(GET group FILENAME group)
    set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${group})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
endfunction()
