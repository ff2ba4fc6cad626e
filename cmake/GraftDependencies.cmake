# What Graft links. Used by Graft's own build and, installed as part of the package, by those who link Graft.
include(CMakeFindDependencyMacro)
find_dependency(Torch 2.11)
find_dependency(OpenCV COMPONENTS core imgproc imgcodecs)
find_dependency(JPEG)
find_dependency(nlohmann_json 3.11)
find_dependency(OpenSSL COMPONENTS Crypto)
find_dependency(OpenMP COMPONENTS CXX)

if(NOT TARGET graft::libcsv)
  find_library(GRAFT_LIBCSV csv REQUIRED)
  find_path(GRAFT_LIBCSV_INCLUDE csv.h REQUIRED)
  add_library(graft::libcsv UNKNOWN IMPORTED)
  set_target_properties(graft::libcsv PROPERTIES IMPORTED_LOCATION ${GRAFT_LIBCSV}
                                                 INTERFACE_INCLUDE_DIRECTORIES ${GRAFT_LIBCSV_INCLUDE})
endif()
