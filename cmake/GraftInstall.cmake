# Install rules and the package that find_package(graft) finds. Component `infer` needs none of what only training links.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/graft)

foreach(component infer graft)
  install(TARGETS graft_${component} EXPORT graft-${component} FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT graft-${component} NAMESPACE graft:: DESTINATION ${package_folder})
endforeach()
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/graftConfig.cmake.in ${PROJECT_BINARY_DIR}/graftConfig.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/graftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/graftConfig.cmake ${PROJECT_BINARY_DIR}/graftConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/GraftDependencies.cmake
        DESTINATION ${package_folder})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(GRAFT_BUILD_PROGRAM)
  # LibTorch is a Python wheel as often as not: the installed program finds it where it was built against.
  set_target_properties(graft_main PROPERTIES INSTALL_RPATH ${TORCH_INSTALL_PREFIX}/lib)
  install(TARGETS graft_main DESTINATION ${CMAKE_INSTALL_LIBEXECDIR})
  install(TARGETS graft_program DESTINATION ${CMAKE_INSTALL_BINDIR})
  file(RELATIVE_PATH from_bin_to_libexec ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBEXECDIR})
  target_compile_definitions(graft_program PRIVATE GRAFT_WHERE_INSTALLED="${from_bin_to_libexec}/graft")
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/models DESTINATION ${CMAKE_INSTALL_DATADIR}/graft)
endif()
