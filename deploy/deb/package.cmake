# The Debian package: `cpack` in a build directory, or `make deb`. The program gets its capability
# when it is installed, as packages cannot carry one.
set(package_files ${PROJECT_BINARY_DIR}/package)
file(MAKE_DIRECTORY ${package_files})

# package_file(OUTPUT INPUT COMMAND ...): OUTPUT in package_files is what COMMAND makes of INPUT.
function(package_file output input)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${input})
  execute_process(COMMAND ${ARGN} INPUT_FILE ${input} OUTPUT_FILE ${package_files}/${output}
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()

configure_file(${CMAKE_CURRENT_LIST_DIR}/changelog.in ${package_files}/changelog @ONLY)
package_file(vethscope.yaml ${PROJECT_SOURCE_DIR}/deploy/vethscope.example.yaml
  awk -f ${CMAKE_CURRENT_LIST_DIR}/conffile.awk)
package_file(changelog.gz ${PROJECT_SOURCE_DIR}/CHANGELOG.md gzip -9n)
package_file(changelog.Debian.gz ${package_files}/changelog gzip -9n)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/conffile.awk)

# Not part of `cmake --install`: these places are the package's alone.
install(FILES ${package_files}/vethscope.yaml DESTINATION /etc/vethscope
  COMPONENT package EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/vethscope.service DESTINATION /lib/systemd/system
  COMPONENT package EXCLUDE_FROM_ALL)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright ${package_files}/changelog.gz
  ${package_files}/changelog.Debian.gz DESTINATION /usr/share/doc/vethscope
  COMPONENT package EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/deploy/vethscope.example.yaml
  DESTINATION /usr/share/doc/vethscope/examples COMPONENT package EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "vethscope")
set(CPACK_PACKAGE_CONTACT "vethscope maintainers <maintainers@vethscope.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL program package)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libcap2-bin")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Watches the HTTP traffic of the pods or containers of a machine from outside
of them, through their network links, and tells for each service how many
requests it served, how they ended and how long they took: as Prometheus
metrics, to an OpenTelemetry receiver, or each exchange as an event. Nothing
in the pods has to be changed.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
file(WRITE ${package_files}/conffiles "/etc/vethscope/vethscope.yaml\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${package_files}/conffiles
  ${CMAKE_CURRENT_LIST_DIR}/postinst ${CMAKE_CURRENT_LIST_DIR}/prerm
  ${CMAKE_CURRENT_LIST_DIR}/postrm)
include(CPack)
