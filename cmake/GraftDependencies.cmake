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

# libzip's own package file, as Debian has it, names programs that its library's package does not bring.
if(NOT TARGET graft::libzip)
  find_library(GRAFT_LIBZIP zip REQUIRED)
  find_path(GRAFT_LIBZIP_INCLUDE zip.h REQUIRED)
  add_library(graft::libzip UNKNOWN IMPORTED GLOBAL)
  set_target_properties(graft::libzip PROPERTIES IMPORTED_LOCATION ${GRAFT_LIBZIP}
                                                 INTERFACE_INCLUDE_DIRECTORIES ${GRAFT_LIBZIP_INCLUDE})
endif()

if(graft_with_training AND NOT TARGET graft::libcsv)
  find_library(GRAFT_LIBCSV csv REQUIRED)
  find_path(GRAFT_LIBCSV_INCLUDE csv.h REQUIRED)
  add_library(graft::libcsv UNKNOWN IMPORTED GLOBAL)
  set_target_properties(graft::libcsv PROPERTIES IMPORTED_LOCATION ${GRAFT_LIBCSV}
                                                 INTERFACE_INCLUDE_DIRECTORIES ${GRAFT_LIBCSV_INCLUDE})
endif()
