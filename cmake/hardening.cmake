# What makes a release build harder to turn against its host: a guest, an image or a debugger's packet may try.
# tests/frontend/hardened.sh looks at the binary that comes of it.
include(CheckCXXSourceCompiles)

# Not by CMAKE_POSITION_INDEPENDENT_CODE, which makes -fPIC of it in libraries: slower, and nothing here is a shared one.
add_compile_options(-fPIE)
add_link_options(-pie)

# _FORTIFY_SOURCE needs optimization, and the sanitizers check more by themselves.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # Level 3 sees sizes known only at run time; older compilers and C libraries warn of it.
  set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
  check_cxx_source_compiles("#include <cstring>\nint main() {}" XLAT_FORTIFY_3)
  unset(CMAKE_REQUIRED_FLAGS)
  set(level 2)
  if(XLAT_FORTIFY_3)
    set(level 3)
  endif()
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level} -fstack-protector-strong)
  # Landing pads for indirect jumps. They do nothing unless the kernel and every library ask for them, and translated code
  # has none; until then they cost a no-op a function.
  set(CMAKE_REQUIRED_FLAGS -fcf-protection=full)
  check_cxx_source_compiles("int main() {}" XLAT_CF_PROTECTION)
  unset(CMAKE_REQUIRED_FLAGS)
  if(XLAT_CF_PROTECTION)
    add_compile_options(-fcf-protection=full)
  endif()
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
