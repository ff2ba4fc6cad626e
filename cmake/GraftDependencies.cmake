# What Graft links. Used by Graft's own build and, installed as part of the package, by those who link Graft.
include(CMakeFindDependencyMacro)
if(NOT DEFINED graft_with_training)  # graftConfig.cmake defines it: this is Graft's own build, which can do without none of them
  set(graft_with_training TRUE)
  set(CMAKE_FIND_PACKAGE_NAME graft)
  set(graft_FIND_REQUIRED TRUE)
  # LibTorch's targets name each other in expressions that are evaluated where a program links Graft: in the folder above.
  set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL TRUE)
endif()

find_dependency(Torch 2.11)
find_dependency(OpenCV COMPONENTS core imgproc imgcodecs)
find_dependency(JPEG)
find_dependency(nlohmann_json 3.11)
find_dependency(OpenSSL COMPONENTS Crypto)
find_dependency(OpenMP COMPONENTS CXX)

# graft_imported_library(NAME HEADER): graft::libNAME, for a library without a package file that works everywhere.
function(graft_imported_library name header)
  if(TARGET graft::lib${name})
    return()
  endif()
  string(TOUPPER GRAFT_LIB${name} variable)
  find_library(${variable} ${name} REQUIRED)
  find_path(${variable}_INCLUDE ${header} REQUIRED)
  add_library(graft::lib${name} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(graft::lib${name} PROPERTIES IMPORTED_LOCATION ${${variable}}
                                                     INTERFACE_INCLUDE_DIRECTORIES ${${variable}_INCLUDE})
endfunction()

graft_imported_library(zip zip.h)  # Debian's package file names programs that its library's package does not bring
if(graft_with_training)
  graft_imported_library(csv csv.h)
  graft_imported_library(dnnl dnnl.hpp)  # Debian's package file asks for OpenCL's headers, which none of this needs
endif()
