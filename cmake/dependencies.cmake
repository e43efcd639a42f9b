# Every outside library, found where Debian installs it (tools/install-deps.sh).
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(BZip2 REQUIRED)
find_package(nlohmann_json REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(capstone REQUIRED IMPORTED_TARGET capstone)
find_package(Threads REQUIRED)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  find_package(asmjit REQUIRED)
endif()
# Without it -display curses says so.
pkg_check_modules(ncursesw IMPORTED_TARGET ncursesw)
# Without it there is no FM sound.
pkg_check_modules(adplug IMPORTED_TARGET adplug)
# Without it there are no window and no -audiodev sdl.
pkg_check_modules(sdl2 IMPORTED_TARGET sdl2)
# Without it there are no -vnc and no -display web.
pkg_check_modules(libvncserver IMPORTED_TARGET libvncserver)
# Without it there is no -netdev user.
pkg_check_modules(slirp IMPORTED_TARGET slirp>=4.7)
# Without it there is no -sandbox.
pkg_check_modules(libseccomp IMPORTED_TARGET libseccomp)
# Without it there are no images by nbd:.
pkg_check_modules(libnbd IMPORTED_TARGET libnbd)
