# xlat_room(NAME [EXCEPT patterns] USES ... LIBS ...): one static library a room, of all sources in its folder but those
# that match a pattern, which are added where what they need is there. USES names the rooms it may see.
function(xlat_room name)
  cmake_parse_arguments(ROOM "" "" "EXCEPT;USES;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.cpp)
  foreach(pattern ${ROOM_EXCEPT})
    list(FILTER sources EXCLUDE REGEX ${pattern})
  endforeach()
  add_library(xlat_${name} STATIC ${sources})
  target_include_directories(xlat_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  foreach(other ${ROOM_USES})
    target_link_libraries(xlat_${name} PUBLIC xlat_${other})
  endforeach()
  target_link_libraries(xlat_${name} PUBLIC ${ROOM_LIBS})
endfunction()

# xlat_group_sources(ROOM TEMPLATE): a source made from the template for each group of instructions, so that they are
# compiled side by side.
function(xlat_group_sources room template)
  set(groups ${PROJECT_SOURCE_DIR}/cpu/groups.inc)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${groups})
  file(STRINGS ${groups} lines REGEX "^GROUP")
  foreach(line ${lines})
    string(REGEX REPLACE "GROUP.([a-z0-9_]+).*" "\\1" group ${line})
    configure_file(${template} ${CMAKE_CURRENT_BINARY_DIR}/${group}_group.cpp @ONLY)
    target_sources(xlat_${room} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/${group}_group.cpp)
  endforeach()
endfunction()
