# librag.so and librag.a from the stations, and what an installed rag is found by.
get_property(stations GLOBAL PROPERTY RAG_STATIONS)
list(TRANSFORM stations PREPEND rag_ OUTPUT_VARIABLE station_libraries)

add_library(rag_shared SHARED)
target_link_libraries(rag_shared PRIVATE ${station_libraries})
target_include_directories(rag_shared PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set_target_properties(rag_shared PROPERTIES
  OUTPUT_NAME rag VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  EXPORT_NAME rag LINKER_LANGUAGE C
  LINK_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/rag.map)
target_link_options(rag_shared PRIVATE
  LINKER:--version-script=${CMAKE_CURRENT_LIST_DIR}/rag.map)

# The archive holds one object, in which everything but rag_* is local: two libraries
# with a function of the same name can then be linked into one program.
set(station_objects)
foreach(library ${station_libraries})
  list(APPEND station_objects $<TARGET_OBJECTS:${library}>)
endforeach()
set(combined ${CMAKE_CURRENT_BINARY_DIR}/librag.o)
# -d: OpenMP's named critical sections are common symbols, which can be made local only when they
# have a place. The compiler's own linker: CMAKE_LINKER may be lld, which warns of -d.
add_custom_command(OUTPUT ${combined}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -Wl,-d -o ${combined} ${station_objects}
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=rag_* ${combined}
  DEPENDS ${station_libraries} ${station_objects}
  COMMAND_EXPAND_LISTS VERBATIM)
add_library(rag_static STATIC ${combined})
set_target_properties(rag_static PROPERTIES OUTPUT_NAME rag LINKER_LANGUAGE C)
